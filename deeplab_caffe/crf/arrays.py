"""Numbers of any kind as arrays: numpy's, or torch's where torch is loaded; nothing here loads it."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats

Array = Any  # numpy.ndarray or torch.Tensor
Arrays = Any  # one Array, or a list or tuple of them


def is_tensor(x: Array) -> bool:
    """Whether x is a torch tensor; torch need not be there."""
    return "torch" in sys.modules and isinstance(x, sys.modules["torch"].Tensor)


def as_array(name: str, x: Array) -> NDArray[Any]:
    """A numpy array, tensor (of any device) or sequence as a numpy array of numbers."""
    if is_tensor(x):
        x = x.detach().cpu()
        return (x.float() if x.is_floating_point() else x).numpy()
    try:
        x = np.asarray(x)
        if x.dtype.kind not in "fiub":
            raise TypeError(f"{x.dtype} given")
        return x
    except (TypeError, ValueError) as error:
        raise DeepLabError(f"{name}: numbers wanted: {error}") from None


def to_numpy(name: str, x: Array) -> Floats:
    """The same as contiguous float32; no copy where it is that already."""
    with np.errstate(over="ignore"):  # A double beyond float32 becomes infinite.
        return np.ascontiguousarray(as_array(name, x), np.float32)


def channels_last(x: Array) -> Array:
    """A view (height, width, channels) of (channels, height, width)."""
    return x.swapaxes(0, 2).swapaxes(0, 1)


def channels_first(x: Array) -> Array:
    """A view (channels, height, width) of (height, width, channels)."""
    return x.swapaxes(0, 2).swapaxes(1, 2)
