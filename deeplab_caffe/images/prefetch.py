"""Work done ahead of time in threads, by number."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Prefetch(Generic[Result]):
    """Calls make(number) ahead of time, for numbers that are announced before they are needed.

    The results depend on the numbers only, not on threads or on what else was asked for. With 0 threads
    nothing is done before it is needed.
    """

    def __init__(self, make: Callable[[int], Result], threads: int) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(threads, "prefetch") if threads else None
        self._begun: dict[int, Future[Result]] = {}

    def take(self, number: int) -> Result:
        """make(number), begun already or not; raises what it raised."""
        begun = self._begun.pop(number, None)
        return self._make(number) if begun is None else begun.result()

    def begin(self, numbers: Iterable[int]) -> None:
        """Starts those of `numbers` that have not begun; gives up all others that have."""
        if self._pool is None:
            return
        wanted = list(numbers)
        for number in self._begun.keys() - set(wanted):
            self._begun.pop(number).cancel()
        for number in wanted:
            if number not in self._begun:
                self._begun[number] = self._pool.submit(self._make, number)
