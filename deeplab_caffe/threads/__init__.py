"""CPU threads: how many kernels get, and several pieces of work at a time that share them."""

from .count import (
    MOST_THREADS,
    at_work,
    check_environment,
    check_threads,
    most_threads,
    own_share,
    thread_count,
)

__all__ = [
    "MOST_THREADS",
    "at_work",
    "check_environment",
    "check_threads",
    "most_threads",
    "own_share",
    "thread_count",
]
