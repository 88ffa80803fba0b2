"""How many CPU threads our kernels use."""

import os
import sys


def thread_count(threads: int | None) -> int:
    """The number given, or torch's setting where torch is loaded, or OMP_NUM_THREADS, or all processors."""
    if threads is not None:
        return max(1, threads)
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdigit():
        return max(1, int(setting))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
