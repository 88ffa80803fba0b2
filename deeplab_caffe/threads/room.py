"""Memory that several threads may take together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of the memory that is free at the start.
_SHARE = 0.5


class Room:
    """Lets threads in while what they take together stays below `limit` bytes; one alone may take more.

    limit: None is half of the memory that is free now.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = _SHARE * available_memory() if limit is None else limit
        self._taken = 0.0
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: float) -> Iterator[None]:
        """Waits until there is room for `size` bytes."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside or self._taken + size <= self.limit)
            self._taken += size
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._inside -= 1
                self._changed.notify_all()


def available_memory() -> int:
    """Bytes of main memory that this process can hope for, within its control group."""
    found = [1 << 46]
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(limit).read_text()))
        except (OSError, ValueError):
            pass
    return min(found)
