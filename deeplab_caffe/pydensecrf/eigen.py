"""The names of pydensecrf.eigen; the matrices there are numpy arrays here."""

import numpy as np
from numpy.typing import ArrayLike

from ..crf.arrays import to_numpy
from ..errors import DeepLabError
from ..types import Floats

# What isinstance asks for.
MatrixXf = np.ndarray
VectorXf = np.ndarray


def matrixXf(arr: ArrayLike) -> Floats:  # noqa: N802
    """A copy of a float32 matrix; DeepLabError, a ValueError, for others, TypeError for None."""
    return _copy("matrixXf", arr, 2)


def vectorXf(arr: ArrayLike) -> Floats:  # noqa: N802
    """A copy of a float32 vector; DeepLabError, a ValueError, for others, TypeError for None."""
    return _copy("vectorXf", arr, 1)


def _copy(name: str, arr: ArrayLike, axes: int) -> Floats:
    if arr is None:
        raise TypeError(f"{name}: None given, an array wanted")
    if isinstance(arr, np.ndarray) and arr.dtype != np.float32:
        raise DeepLabError(f"{name}: {arr.dtype} given, float32 wanted, as in pydensecrf")
    values = to_numpy(name, arr)
    if values.ndim != axes:
        raise DeepLabError(f"{name}: an array of {values.ndim} axes given, {axes} wanted")
    return values.copy()
