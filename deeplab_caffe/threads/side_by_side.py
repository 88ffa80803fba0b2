"""Several pieces of work at a time in Python threads, results in order; for work that releases the GIL."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from .count import at_work, thread_count

Item = TypeVar("Item")
Result = TypeVar("Result")

# Of each thread, how many pieces are begun before the first one's result is fetched.
_AHEAD = 4


class Stopped(BaseException):
    """The result of this work is wanted no more."""


class _Stop(threading.local):
    """Who stops the work of a thread."""

    event: threading.Event | None = None


_stop = _Stop()


def check_stopped() -> None:
    """Raises Stopped in a thread of a `side_by_side` that has ended."""
    if _stop.event is not None and _stop.event.is_set():
        raise Stopped


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None, most: int, shared: bool = True
) -> Generator[Result, None, None]:
    """work(item) of all items, in their order, at most `most` of them at a time.

    They share `threads` (None: the default): with as many items in the works as threads each kernel takes
    one, and the last items take the threads of those that are done. shared: whether they do; otherwise each
    may take all. With `most` 1 all is done by the calling thread.

    What an item raises is raised in its turn. Whoever stops before the end, by closing the generator or by
    Ctrl-C, waits until those in the works are done, or ask `check_stopped`.
    """
    if most <= 1:
        yield from map(work, items)
        return
    total = thread_count(threads)
    stop = threading.Event()

    def run(item: Item) -> Result:
        _stop.event = stop
        check_stopped()
        if not shared:
            return work(item)
        with at_work(total):
            return work(item)

    waiting = iter(items)
    begun: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(most, "side_by_side")
    try:
        begun.extend(pool.submit(run, item) for item in islice(waiting, _AHEAD * most))
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(run, item) for item in islice(waiting, 1))
            yield result
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
