"""Lattices over image pixels or any points: the Gaussian filters of the dense CRF."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .backend import Array, Device, find_device, is_tensor, ops_of, to_device
from .parameters import Std

Normalization = Literal["none", "before", "after", "symmetric"]

NORMALIZATIONS: tuple[str, ...] = ("none", "before", "after", "symmetric")


class Lattice:
    """A Gaussian filter over N points, to be built once and used with any number of CRFs of these points.

    features: (d, N) planes in units of the standard deviation. device: None for the CPU or a GPU, in whose
    memory the lattice is and whose tensors it filters. image_sizes: on a GPU, the points of each of several
    images, which do not interact. Raises DeepLabError: NaN or so large that coordinates leave 16 bits.
    """

    def __init__(
        self,
        features: Array,
        threads: int | None = None,
        device: Device = None,
        image_sizes: Sequence[int] | None = None,
    ) -> None:
        self.threads, self.device = threads, find_device(device)
        self._ops = ops_of(self.device)
        if self.device is None:
            self.native = self._ops.lattice(to_numpy("features", features), threads=threads)
        else:
            self.native = self._ops.lattice(to_device("features", features, self.device), image_sizes)
        self._ones: Array | None = None

    @property
    def points(self) -> int:
        """Number of points."""
        return self.native.points

    @property
    def vertices(self) -> int:
        """Number of lattice vertices the points touch."""
        return self.native.vertices

    def filter(self, values: Array, before: Array | None = None, adjoint: bool = False) -> Array:
        """Sum over all points of the Gaussian of the distance times values (N, channels); not normalised.

        adjoint: see cpu_ops.lattice_filter; float64 there too, on the CPU.
        """
        return self._ops.lattice_filter(self.native, values, before, adjoint, threads=self.threads)

    def norms(self, normalization: Normalization) -> tuple[Array | None, Array | None]:
        """The factors (N) before and after the filter that normalise it; None is 1."""
        if normalization not in NORMALIZATIONS:
            raise DeepLabError(f"normalization {normalization}: one of {', '.join(NORMALIZATIONS)} wanted")
        if normalization == "none":
            return None, None
        if self._ones is None:
            self._ones = self._ops.lattice_ones(self.native, threads=self.threads)
        norm = self._ops.norms(self._ones, normalization == "symmetric")
        if normalization == "symmetric":
            return norm, norm
        return (norm, None) if normalization == "before" else (None, norm)


def position_lattice(
    height: int, width: int, std: Std, threads: int | None = None, device: Device = None
) -> Lattice:
    """Lattice of pixel positions; std: pixels, one number or (x, y)."""
    if find_device(device) is not None:
        return position_lattice_of_images([(height, width)], std, device)
    return Lattice(_position_planes(height, width, _numbers("std", std, 2), 0).reshape(2, -1), threads)


def bilateral_lattice(
    image: Array, xy_std: Std, rgb_std: Std, threads: int | None = None, device: Device = None
) -> Lattice:
    """Lattice of positions and colours of an image (H, W, C); stds: one number, (x, y), one a channel."""
    if find_device(device) is not None:
        return bilateral_lattice_of_images([image], xy_std, rgb_std, device)
    image = as_array("image", image)
    height, width, channels = _image_shape(image)
    planes = _position_planes(height, width, _numbers("xy_std", xy_std, 2), channels)
    for channel, std in enumerate(_numbers("rgb_std", rgb_std, channels)):
        planes[2 + channel] = image[:, :, channel]
        with np.errstate(over="ignore"):
            planes[2 + channel] /= np.float32(std)
    return Lattice(planes.reshape(2 + channels, -1), threads)


def position_lattice_of_images(sizes: Sequence[tuple[int, int]], std: Std, device: Device) -> Lattice:
    """On a GPU, one lattice of the pixels of several images of (height, width), one after the other."""
    return _lattice_of_images(sizes, _numbers("std", std, 2), [], device)


def bilateral_lattice_of_images(
    images: Sequence[Array], xy_std: Std, rgb_std: Std, device: Device
) -> Lattice:
    """The same of positions and colours of images (H, W, C) of any sizes."""
    images = [image if is_tensor(image) else as_array("image", image) for image in images]
    shapes = [_image_shape(image) for image in images]
    channels = {shape[2] for shape in shapes}
    if len(channels) != 1:
        raise DeepLabError(f"images of {', '.join(map(str, sorted(channels)))} channels do not go together")
    stds = _numbers("xy_std", xy_std, 2) + _numbers("rgb_std", rgb_std, *channels)
    return _lattice_of_images([shape[:2] for shape in shapes], stds, images, device)


def _lattice_of_images(
    sizes: Sequence[tuple[int, int]], stds: tuple[float, ...], images: Sequence[Array], device: Device
) -> Lattice:
    found = find_device(device)
    tensors = [to_device("image", image, found) for image in images]
    planes = ops_of(found).image_features(sizes, stds, tensors, found)
    return Lattice(planes, device=device, image_sizes=[height * width for height, width in sizes])


def _image_shape(image: Array) -> tuple[int, int, int]:
    shape = tuple(image.shape)
    if len(shape) != 3 or 0 in shape:
        raise DeepLabError(f"image: {shape} given, (height, width, channels) wanted")
    return shape


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
