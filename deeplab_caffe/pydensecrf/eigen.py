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
    """A float32 copy of a matrix; DeepLabError for another number of axes."""
    return _copy("matrixXf", arr, 2)


def vectorXf(arr: ArrayLike) -> Floats:  # noqa: N802
    """A float32 copy of a vector; DeepLabError for another number of axes."""
    return _copy("vectorXf", arr, 1)


def _copy(name: str, arr: ArrayLike, axes: int) -> Floats:
    values = to_numpy(name, arr)
    if values.ndim != axes:
        raise DeepLabError(f"{name}: an array of {values.ndim} axes given, {axes} wanted")
    return values.copy()
