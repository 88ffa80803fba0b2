"""What a position of a top reads of a bottom, along one axis."""

from typing import NamedTuple


class Window(NamedTuple):
    """`kernel` places, `dilation` apart; the next position's lie `stride` further on (below 1: enlarging)."""

    kernel: int
    stride: float = 1
    pad: int = 0
    dilation: int = 1


def taps_inside(window: Window, size: int, positions: int) -> int:
    """How many (position, tap) pairs along one axis read inside 0..size-1."""
    count = 0
    stride = int(window.stride)
    for tap in range(window.kernel):
        offset = tap * window.dilation - window.pad  # position o reads o * stride + offset
        first = max(0, -(offset // stride))
        last = min(positions - 1, (size - 1 - offset) // stride)
        count += max(0, last - first + 1)
    return count
