"""Types that many files name. A tensor is torch's own: `from torch import Tensor`."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import override as override
elif sys.version_info >= (3, 12):
    from typing import override
else:  # for what needs no package but numpy

    def override(method: Callable) -> Callable:
        """Marks a method that replaces its parent's; for type checkers only."""
        return method


Shape = tuple[int, ...]
# (rows, columns), or (height, width).
Pair = tuple[int, int]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def plane(shape: Sequence[int]) -> Pair:
    """Height and width of a blob or tensor of this shape (..., height, width)."""
    return shape[-2], shape[-1]
