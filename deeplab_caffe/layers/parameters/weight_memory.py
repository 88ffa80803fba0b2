"""Streamed weights: they stay in the caffemodel, and a limited memory holds those that layers work with."""

from collections.abc import Callable, Hashable

from torch import Tensor

from ... import ops

Allocate = Callable[[int], Tensor]
_FLOAT = 4  # bytes
_ALIGNMENT = 32  # values: a cache line, which is two of a CPU's


class WeightMemory:
    """Memory of `limit` bytes for packed weights, more only where the largest of them alone needs more.

    A net asks for its weights in the same order in each forward. To drop the one that was used longest ago
    would drop each just before its next use; so the first ones to come are kept for good, as many as leave
    room for the largest, and the others take turns in that room.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit // _FLOAT
        self._largest = 0
        self.clear()

    def expect(self, count: int) -> None:
        """Makes room for weights of `count` values; forgets all that is held."""
        self._largest = max(self._largest, count)
        self.clear()

    def clear(self) -> None:
        """Forgets all that is held, and gives the memory back."""
        self._held: dict[Hashable, Tensor] = {}  # those to keep
        self._kept = 0
        self._room: Tensor | None = None
        self._in_room: dict[Hashable, Tensor] = {}
        self._room_taken = 0

    def get(self, key: Hashable, make: Callable[[Allocate], Tensor]) -> Tensor:
        """The weights of that key, valid until the next call; `make`, given `allocate(count)`, makes them."""
        for held in (self._held, self._in_room):
            if key in held:
                return held[key]
        try:
            return make(lambda count: self._allocate(key, count))
        except BaseException:
            self.clear()  # what is there for that key has no values
            raise

    def _allocate(self, key: Hashable, count: int) -> Tensor:
        if count > self._largest:
            self.expect(count)
        if self._kept + count <= self._limit - self._largest:
            self._kept += count
            self._held[key] = ops.empty(count)
            return self._held[key]
        if self._room is None:
            self._room = ops.empty(self._largest)
        if self._room_taken + count > len(self._room):
            self._in_room.clear()
            self._room_taken = 0
        first = self._room_taken
        self._room_taken += -(-count // _ALIGNMENT) * _ALIGNMENT
        self._in_room[key] = self._room[first : first + count]
        return self._in_room[key]
