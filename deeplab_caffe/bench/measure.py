"""How the benchmarks measure: candidates in turn, medians, ratios; peak memory in a process of its own."""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import DeepLabError, reason_of


def interleave(candidates: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate, `rounds` times, in turn (A B C A B C ...), after one call each to warm up.

    In turn, because a shared machine's speed drifts: what slows one round slows every candidate in it.
    """
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(seconds: list[float], peer: list[float]) -> float:
    """The median over the rounds of our time divided by the peer's in the same round."""
    return statistics.median(ours / theirs for ours, theirs in zip(seconds, peer, strict=True))


def peak_memory(module: str, arguments: dict[str, Any]) -> int:
    """Bytes that `python -m module JSON` had in memory at most (its own resident peak, printed last)."""
    run = subprocess.run(
        [sys.executable, "-m", module, json.dumps(arguments)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise DeepLabError(f"{module}: {reason_of(RuntimeError(run.stderr[-300:]))}")
    return int(run.stdout.split()[-1])


def forget_peak_memory() -> None:
    """Makes `own_peak_memory` count from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def own_peak_memory() -> int:
    """Bytes that this process has had in memory at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import torch

    from .. import ops

    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "cpu": model,
        "instructions": ops.isa(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
