"""How many CPU threads our kernels use."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from ..errors import DeepLabError

# More than any machine has use for. A program that cannot have its threads is ended by OpenMP itself.
MOST_THREADS = 1024
_SETTING = "OMP_NUM_THREADS"

_lock = threading.Lock()
_at_work: dict[int, int] = {}  # Python's threads that compute, and how often each has begun to


class _Own(threading.local):
    """A thread's own default."""

    threads: int | None = None


_own = _Own()


@contextmanager
def at_work(threads: int | None = None) -> Iterator[None]:
    """Counts the calling Python thread among those that compute and share `thread_count`'s default.

    threads: from now on the default in this thread; all that share it are to be told the same.
    """
    _own.threads = threads or _own.threads
    own = threading.get_ident()
    with _lock:
        _at_work[own] = _at_work.get(own, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _at_work[own] = _at_work.get(own, 1) - 1
            if not _at_work[own]:
                del _at_work[own]


def _after_fork() -> None:
    """The other threads are not in the child; one of them may have held the lock."""
    global _lock
    _lock = threading.Lock()
    own = threading.get_ident()
    for other in [one for one in _at_work if one != own]:
        del _at_work[other]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def thread_count(threads: int | None) -> int:
    """The number given, or this Python thread's share of the default.

    The default is torch's setting where torch is loaded, or OMP_NUM_THREADS, or all processors. Python's
    threads that are `at_work` at the same time share it: eight of them do not start eight times as many.
    Raises DeepLabError for more than the system gives.
    """
    if threads is not None:
        check_threads(threads)
        return max(1, threads)
    return max(1, _default() // max(1, len(_at_work)))


def own_share() -> int | None:
    """The share of a thread with a default of its own; None for others, whose libraries have settings."""
    return None if _own.threads is None else thread_count(None)


def _default() -> int:
    if _own.threads is not None:
        return _own.threads
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
