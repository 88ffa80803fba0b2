"""Where a net's time goes, layer by layer, beside what the machine can do: arithmetic and memory."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from rich.table import Table

from .. import ops
from ..engine.cost import FLOAT, analyse
from ..engine.net import Net
from ..engine.random_weights import random_weights
from ..engine.read_model import read_model
from ..engine.steps import timed_steps
from ..errors import DeepLabError
from ..types import Pair
from . import tables
from .measure import machine

_PRODUCT = 1536  # rows and columns of the matrices that sgemm multiplies
_COPIED = 1 << 26  # bytes: far more than caches hold
_SGEMM = """
import sys, time
import numpy as np
clock, count = (time.perf_counter, 1) if sys.argv[1] == "wall" else (time.process_time, int(sys.argv[2]))
size = int(sys.argv[3])
a, best = np.ones((size, size), np.float32), 1e9
for _ in range(6):
    start = clock()
    a @ a
    best = min(best, clock() - start)
print(2 * size**3 / best * count)
"""


def run(
    model: str,
    size: Pair,
    threads: int,
    rounds: int,
    variables: dict[str, str],
    precision: str = "exact",
    processor: bool = False,
) -> dict[str, Any]:
    """Times every step of a forward with random weights; the result as plain data.

    Steps are what the net really runs: a layer with those fused into it, or a chain of layers that goes in
    bands of rows. Of each: median seconds; flops, two for each multiply-add inside the image; bytes, those of
    what it reads, writes and of its weights, once each; `peak_share` of the processor's fused multiply-adds;
    `roof_share` of what its flops and bytes allow, with the bandwidth of a copy. processor: seconds are the
    processor's, of all threads, over their number: for machines on which others are at work.
    """
    definition = read_model(model, variables)
    net = Net(definition, threads=threads, precision=precision)
    if len(net.inputs) != 1:
        raise DeepLabError(f"{definition.source}: one input wanted, it has {', '.join(net.inputs)}")
    random_weights(net)
    name = next(iter(net.inputs))
    image = 60 * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    cost = {layer.index: layer for layer in analyse(definition, size).layers}
    clock: Callable[[], float] = (lambda: time.process_time() / threads) if processor else time.perf_counter
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        limits = [_limits(threads, clock, processor)]
        net(image)
        passes = [timed_steps(net, clock, **{name: image}) for _ in range(rounds)]
        limits.append(_limits(threads, clock, processor))
    finally:
        torch.set_num_threads(before)
    best = {key: max(each[key] for each in limits) for key in limits[0]}
    rows = []
    for steps in zip(*passes, strict=True):
        step, seconds = steps[0], statistics.median(one.seconds for one in steps)
        flops = 2 * sum(cost[index].effective_multiply_adds for index in step.layers)
        moved = FLOAT * (sum(map(prod, step.shapes)) + step.parameters)
        roof = max(flops / best["fma"], moved / best["bandwidth"])
        rows.append(
            {
                "layers": [layer.name for layer in step.layers.values()],
                "seconds": seconds,
                "flops": flops,
                "bytes": moved,
                "peak_share": flops / seconds / best["fma"],
                "roof_share": roof / seconds,
                "bound": "arithmetic" if flops / best["fma"] * best["bandwidth"] > moved else "memory",
            }
        )
    return {
        "model": net.definition.name,
        "size": list(size),
        "threads": threads,
        "precision": precision,
        "clock": "processor" if processor else "wall",
        "machine": machine(),
        "limits": best,
        "layers": rows,
    }


def table(result: dict[str, Any]) -> Table:
    """One row a step, and the sum."""
    limits, rows = result["limits"], result["layers"]
    total = sum(row["seconds"] for row in rows)
    count = result["threads"]
    title = (
        f"{result['model']}, {tables.size(*result['size'])}, {count} thread{'s' * (count > 1)}, "
        f"{result['precision']}, {result['machine']['instructions']}"
    )
    can = (
        f"peak {limits['fma'] / 1e9:.0f} GFLOP/s, sgemm {limits['sgemm'] / 1e9:.0f} (numpy) and "
        f"{limits['torch_sgemm'] / 1e9:.0f} (torch), memory {limits['bandwidth'] / 1e9:.1f} GB/s"
    )
    found = tables.table(
        f"{title}: {can}",
        ("layers", "bound by"),
        ("ms", "of all", "GFLOP/s", "of peak", "MB", "flops/byte", "of its roof"),
    )
    for row in rows:
        names = row["layers"]
        found.add_row(
            names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
            row["bound"],
            f"{1e3 * row['seconds']:.2f}",
            f"{row['seconds'] / total:.1%}",
            f"{row['flops'] / row['seconds'] / 1e9:.1f}",
            f"{row['peak_share']:.0%}",
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['flops'] / row['bytes']:.1f}",
            f"{row['roof_share']:.0%}",
        )
    flops = sum(row["flops"] for row in rows)
    share = f"{flops / total / limits['fma']:.0%}"
    found.add_section()
    found.add_row("all", "", f"{1e3 * total:.2f}", "", f"{flops / total / 1e9:.1f}", share, "", "", "")
    return found


def _limits(threads: int, clock: Callable[[], float], processor: bool) -> dict[str, float]:
    """What the machine can do at all; flops and bytes a second."""
    a = torch.ones(_PRODUCT, _PRODUCT)
    source, target = torch.ones(_COPIED // FLOAT), torch.ones(_COPIED // FLOAT)
    return {
        "fma": ops.fma_peak(threads, clock=clock),
        "sgemm": _numpy_sgemm(threads, processor),
        "torch_sgemm": 2 * _PRODUCT**3 / _best(lambda: a @ a, clock),
        "bandwidth": 2 * _COPIED / _best(lambda: target.copy_(source), clock),
    }


def _best(work: Callable[[], object], clock: Callable[[], float], times: int = 6) -> float:
    seconds = []
    for _ in range(times):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def _numpy_sgemm(threads: int, processor: bool) -> float:
    """Of numpy's BLAS, in a process of its own: it reads its number of threads when it is loaded."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    words = ["processor" if processor else "wall", str(threads), str(_PRODUCT)]
    run = subprocess.run(
        [sys.executable, "-c", _SGEMM, *words], env=environment, capture_output=True, text=True, check=True
    )
    return float(run.stdout)
