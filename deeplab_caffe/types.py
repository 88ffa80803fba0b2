"""Types that many files name. A tensor is torch's own: `from torch import Tensor`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
# (rows, columns), or (height, width).
Pair = tuple[int, int]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def plane(shape: Sequence[int]) -> Pair:
    """Height and width of a blob or tensor of this shape (..., height, width)."""
    return shape[-2], shape[-1]
