"""How many CPU threads our kernels use."""

import os
import sys
from functools import cache

from .errors import DeepLabError

# More than any machine has use for. A program that cannot have its threads is ended by OpenMP itself.
MOST_THREADS = 1024
_SETTING = "OMP_NUM_THREADS"


def thread_count(threads: int | None) -> int:
    """The number given, or torch's setting where torch is loaded, or OMP_NUM_THREADS, or all processors.

    Raises DeepLabError for more than the system gives.
    """
    if threads is not None:
        check_threads(threads)
        return max(1, threads)
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    setting = os.environ.get(_SETTING, "")
    if setting.isdigit():
        check_environment()
        return max(1, int(setting))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_threads(threads: int, name: str = "threads") -> None:
    """DeepLabError for more threads than the system gives."""
    if threads > 1 and threads > (most := most_threads()):
        raise DeepLabError(f"{name}: {threads} given, at most {most} wanted")


def check_environment() -> None:
    """DeepLabError if OMP_NUM_THREADS, which torch follows too, asks for more than the system gives."""
    for part in os.environ.get(_SETTING, "").split(","):
        if part.strip().isdigit():
            check_threads(int(part), _SETTING)


@cache
def most_threads() -> int:
    """What the system gives to this process, and no more than anybody needs."""
    return max(1, min([MOST_THREADS, *_limits()]))


def _limits() -> list[int]:
    """How many threads may still be started: those of the control group, where there is one."""
    found = []
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/pids"):
        try:
            with open(f"{folder}/pids.max") as most, open(f"{folder}/pids.current") as taken:
                found.append(int(most.read()) - int(taken.read()))
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue
    return found
