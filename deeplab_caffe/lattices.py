"""Lattices over image pixels or any points: the Gaussian filters of the dense CRF."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from . import ops
from .errors import DeepLabError

Tensor = torch.Tensor
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
        self.native = ops.lattice(to_tensor("features", features), threads=threads)
        self._ones: Tensor | None = None

    @property
    def points(self) -> int:
        """Number of points."""
        return self.native.points

    @property
    def vertices(self) -> int:
        """Number of lattice vertices the points touch."""
        return self.native.vertices

    def filter(self, values: Tensor, before: Tensor | None = None) -> Tensor:
        """Sum over all points of the Gaussian of the distance times values (N, channels); not normalised."""
        return ops.lattice_filter(self.native, values, before, threads=self.threads)

    def norms(self, normalization: Normalization) -> tuple[Tensor | None, Tensor | None]:
        """The factors (N) before and after the filter that normalise it; None is 1."""
        if normalization not in NORMALIZATIONS:
            raise DeepLabError(f"normalization {normalization}: one of {', '.join(NORMALIZATIONS)} wanted")
        if normalization == "none":
            return None, None
        if self._ones is None:
            self._ones = ops.lattice_ones(self.native, threads=self.threads)
        if normalization == "symmetric":
            norm = 1 / (self._ones + 1e-20).sqrt()
            return norm, norm
        norm = 1 / (self._ones + 1e-20)
        return (norm, None) if normalization == "before" else (None, norm)


def position_lattice(
    height: int, width: int, std: float | Sequence[float], threads: int | None = None
) -> Lattice:
    """Lattice of pixel positions; std: pixels, one number or (x, y)."""
    return Lattice(_position_planes(height, width, _numbers("std", std, 2), 0).flatten(1), threads)


def bilateral_lattice(
    image: Array,
    xy_std: float | Sequence[float],
    rgb_std: float | Sequence[float],
    threads: int | None = None,
) -> Lattice:
    """Lattice of positions and colours of an image (H, W, C); stds: one number, (x, y), one a channel."""
    image = to_tensor("image", image)
    if image.dim() != 3 or 0 in image.shape:
        raise DeepLabError(f"image: {tuple(image.shape)} given, (height, width, channels) wanted")
    height, width, channels = image.shape
    planes = _position_planes(height, width, _numbers("xy_std", xy_std, 2), channels)
    for plane, channel, std in zip(
        planes[2:], image.unbind(2), _numbers("rgb_std", rgb_std, channels), strict=True
    ):
        torch.div(channel, std, out=plane)
    return Lattice(planes.flatten(1), threads)


def to_tensor(name: str, x: Array) -> Tensor:
    """A numpy array, tensor or sequence as a CPU float32 tensor; no copy where it is one already."""
    if isinstance(x, torch.Tensor):
        return x.detach().to("cpu", torch.float32)
    try:
        x = np.asarray(x)
        if x.dtype.kind not in "fiub":
            raise TypeError(f"{x.dtype} given")
        return torch.from_numpy(np.require(x, np.float32, ["C", "W"]))
    except (TypeError, ValueError) as error:
        raise DeepLabError(f"{name}: numbers wanted: {error}") from None


def _position_planes(height: int, width: int, std: tuple[float, ...], more: int) -> Tensor:
    planes = torch.empty(2 + more, height, width)
    planes[0] = torch.arange(width, dtype=torch.float32) / std[0]
    planes[1] = (torch.arange(height, dtype=torch.float32) / std[1])[:, None]
    return planes


def _numbers(name: str, value: float | Sequence[float], count: int) -> tuple[float, ...]:
    values = tuple(np.atleast_1d(np.asarray(value, np.float64)).tolist())
    if len(values) not in (1, count):
        raise DeepLabError(f"{name}: {len(values)} numbers given, 1 or {count} wanted")
    for one in values:
        if not (math.isfinite(one) and one > 0):
            raise DeepLabError(f"{name} {one:g}: a number above 0 wanted")
    return values * count if len(values) == 1 else values
