"""Lattices over image pixels or any points: the Gaussian filters of the dense CRF."""

import math
import sys
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import crf_ops
from .errors import DeepLabError

Floats = NDArray[np.float32]
Array = Any  # numpy.ndarray or torch.Tensor
Normalization = Literal["none", "before", "after", "symmetric"]
NORMALIZATIONS: tuple[str, ...] = ("none", "before", "after", "symmetric")


class Lattice:
    """A Gaussian filter over N points, to be built once and used with any number of CRFs of these points.

    features: (d, N) planes in units of the standard deviation. Raises DeepLabError: NaN or so large that
    coordinates leave 16 bits.
    """

    def __init__(self, features: Array, threads: int | None = None) -> None:
        self.threads = threads
        self.native = crf_ops.lattice(to_numpy("features", features), threads=threads)
        self._ones: Floats | None = None

    @property
    def points(self) -> int:
        """Number of points."""
        return self.native.points

    @property
    def vertices(self) -> int:
        """Number of lattice vertices the points touch."""
        return self.native.vertices

    def filter(self, values: Floats, before: Floats | None = None, adjoint: bool = False) -> Floats:
        """Sum over all points of the Gaussian of the distance times values (N, channels); not normalised.

        adjoint: see crf_ops.lattice_filter; float64 there too.
        """
        return crf_ops.lattice_filter(self.native, values, before, adjoint, threads=self.threads)

    def norms(self, normalization: Normalization) -> tuple[Floats | None, Floats | None]:
        """The factors (N) before and after the filter that normalise it; None is 1."""
        if normalization not in NORMALIZATIONS:
            raise DeepLabError(f"normalization {normalization}: one of {', '.join(NORMALIZATIONS)} wanted")
        if normalization == "none":
            return None, None
        if self._ones is None:
            self._ones = crf_ops.lattice_ones(self.native, threads=self.threads)
        total = self._ones + np.float32(1e-20)
        if normalization == "symmetric":
            norm = 1 / np.sqrt(total)
            return norm, norm
        norm = 1 / total
        return (norm, None) if normalization == "before" else (None, norm)


def position_lattice(
    height: int, width: int, std: float | Sequence[float], threads: int | None = None
) -> Lattice:
    """Lattice of pixel positions; std: pixels, one number or (x, y)."""
    return Lattice(_position_planes(height, width, _numbers("std", std, 2), 0).reshape(2, -1), threads)


def bilateral_lattice(
    image: Array,
    xy_std: float | Sequence[float],
    rgb_std: float | Sequence[float],
    threads: int | None = None,
) -> Lattice:
    """Lattice of positions and colours of an image (H, W, C); stds: one number, (x, y), one a channel."""
    image = as_array("image", image)
    if image.ndim != 3 or 0 in image.shape:
        raise DeepLabError(f"image: {image.shape} given, (height, width, channels) wanted")
    height, width, channels = image.shape
    planes = _position_planes(height, width, _numbers("xy_std", xy_std, 2), channels)
    for channel, std in enumerate(_numbers("rgb_std", rgb_std, channels)):
        planes[2 + channel] = image[:, :, channel]
        with np.errstate(over="ignore"):
            planes[2 + channel] /= np.float32(std)
    return Lattice(planes.reshape(2 + channels, -1), threads)


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


def _position_planes(height: int, width: int, std: tuple[float, ...], more: int) -> Floats:
    planes = np.empty((2 + more, height, width), np.float32)
    with np.errstate(over="ignore"):  # Lattice tells what is too large.
        planes[0] = np.arange(width, dtype=np.float32) / np.float32(std[0])
        planes[1] = (np.arange(height, dtype=np.float32) / np.float32(std[1]))[:, None]
    return planes


def _numbers(name: str, value: float | Sequence[float], count: int) -> tuple[float, ...]:
    values = tuple(np.atleast_1d(np.asarray(value, np.float64)).tolist())
    if len(values) not in (1, count):
        raise DeepLabError(f"{name}: {len(values)} numbers given, 1 or {count} wanted")
    for one in values:
        if not (math.isfinite(one) and np.float32(one) > 0):
            raise DeepLabError(f"{name} {one:g}: a number above 0 wanted")
    return values * count if len(values) == 1 else values
