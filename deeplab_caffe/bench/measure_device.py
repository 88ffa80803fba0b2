"""Times and memory on a device, a GPU or (to rehearse) the CPU."""

import time
from collections.abc import Callable
from typing import Any

import torch


def device_seconds(run: Callable[[], Any], rounds: int, device: torch.device) -> list[float]:
    """Of each call, the device idle before and after; on a GPU three calls come first."""
    times = []
    for number in range(-3 if device.type == "cuda" else 0, rounds):
        _wait(device)
        start = time.perf_counter()
        run()
        _wait(device)
        if number >= 0:
            times.append(time.perf_counter() - start)
    return times


def device_peak(device: torch.device) -> int:
    """Bytes that torch has given out at most since the last call; 0 on the CPU."""
    if device.type != "cuda":
        return 0
    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
