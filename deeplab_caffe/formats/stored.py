"""Arrays that lie in a file: shapes are known at once, values are read when somebody wants them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Shape
from .wire import Buffer

# How the numbers lie in files, by name. NumPy has no bfloat16: the upper half of a float32.
BFLOAT16 = "bfloat16"
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "float16": np.dtype("<f2"),
    BFLOAT16: np.dtype("<u2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "bool": np.dtype("?"),
}


@dataclass(frozen=True)
class StoredArray:
    """An array of a file. `read` gives its values as float32 in this shape; it may raise DeepLabError."""

    shape: Shape
    read: Callable[[], Floats]


@dataclass(frozen=True)
class StoredScores:
    """Scores of an image as a file has them: (labels, H, W), also with a 1 before, or (H, W, labels).

    "either": only the image's size tells which. "label map": (H, W, 1) numbers of labels.
    """

    values: NDArray[Any]
    order: Literal["labels first", "labels last", "either", "label map"]


def without_wrappers(arrays: dict[str, StoredArray]) -> dict[str, StoredArray]:
    """PyTorch's tensors by name, without what wrappers of modules put before all of their names."""
    for prefix in ("module.", "model.", "_orig_mod."):
        if arrays and all(name.startswith(prefix) for name in arrays):
            return without_wrappers({name.removeprefix(prefix): array for name, array in arrays.items()})
    return arrays


def bytes_wanted(shape: Shape, dtype: str) -> int:
    """How many bytes an array of DTYPES[dtype] takes; a Python number, so it never wraps around."""
    return prod(shape) * DTYPES[dtype].itemsize


def decode(data: Buffer, dtype: str, shape: Shape) -> Floats:
    """The array whose little-endian bytes are `data`, as float32 (a copy). ValueError: not so many bytes."""
    values = np.frombuffer(data, DTYPES[dtype])
    if dtype == BFLOAT16:
        return (values.astype(np.uint32) << 16).view(np.float32).reshape(shape)
    with np.errstate(over="ignore", invalid="ignore"):  # a float64 beyond float32 becomes infinite
        return values.astype(np.float32).reshape(shape)
