"""Types that many files name. A tensor is torch's own: `from torch import Tensor`."""

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
# (rows, columns), or (height, width).
Pair = tuple[int, int]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
