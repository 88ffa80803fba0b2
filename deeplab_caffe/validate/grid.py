"""A small array that a result carries: a map or a picture, at most 128 by 128."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = 128


@dataclass(frozen=True)
class Grid:
    """`rows` x `columns` numbers; each stands for `step` x `step` pixels (fewer at the right and bottom).

    data: base64 of the zlib-packed little-endian numbers, row by row.
    """

    rows: int
    columns: int
    step: int
    dtype: str
    data: str

    @classmethod
    def of(cls, values: NDArray, step: int = 1) -> "Grid":
        """Of an array (rows, columns)."""
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        packed = base64.b64encode(zlib.compress(plain.tobytes(), 6)).decode()
        return cls(plain.shape[0], plain.shape[1], step, plain.dtype.name, packed)

    def array(self) -> NDArray:
        """The numbers, (rows, columns)."""
        values = np.frombuffer(zlib.decompress(base64.b64decode(self.data)), np.dtype(self.dtype))
        return values.reshape(self.rows, self.columns)


def step_for(height: int, width: int) -> int:
    """How many pixels of a plane one number of its grid stands for, in each direction."""
    return max(1, -(-max(height, width) // LARGEST))


def largest_of_cells(plane: NDArray) -> Grid:
    """The largest value of each cell of a plane (height, width)."""
    height, width = plane.shape
    step = step_for(height, width)
    starts = [np.arange(0, size, step) for size in (height, width)]
    rows = np.maximum.reduceat(plane, starts[0], axis=0)
    return Grid.of(np.maximum.reduceat(rows, starts[1], axis=1), step)


def corner_of_cells(plane: NDArray) -> Grid:
    """The top left value of each cell of a plane (height, width): for labels, of which no mean exists."""
    step = step_for(*plane.shape)
    return Grid.of(plane[::step, ::step], step)
