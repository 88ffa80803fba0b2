"""`caffe.Timer`: the time between start and stop."""

import time


class Timer:
    """Measures wall time."""

    def __init__(self) -> None:
        self._started = self._seconds = 0.0

    def start(self) -> None:
        """From here."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """To here."""
        self._seconds = time.perf_counter() - self._started

    @property
    def ms(self) -> float:
        """The time in milliseconds."""
        return 1000 * self._seconds
