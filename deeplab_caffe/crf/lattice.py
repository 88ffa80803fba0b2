"""Lattices over image pixels or any points: the Gaussian filters of the dense CRF."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import DeepLabError
from ..threads import thread_count
from ..types import Pair, override
from .arrays import Array, as_array, is_tensor
from .backend import Backend
from .devices import Device, backend_for
from .parameters import Std

Normalization = Literal["none", "before", "after", "symmetric"]

# Lattices of positions are kept up to this many points, of about 30 bytes each.
_KEPT_POINTS = 1 << 19

NORMALIZATIONS: tuple[str, ...] = ("none", "before", "after", "symmetric")


class Recipe(NamedTuple):
    """What a lattice was built from; with that, copies in other processes build it again.

    features: the planes; None: those of images of these sizes, with these stds, and of a bilateral lattice
    the images. image_sizes, wide_keys: as for Lattice.
    """

    features: Array | None
    sizes: tuple[Pair, ...] = ()
    stds: tuple[float, ...] = ()
    images: tuple[Array, ...] = ()
    image_sizes: tuple[int, ...] | None = None
    wide_keys: bool = False

    def build(self, threads: int | None, device: Device) -> "Lattice":
        """The lattice."""
        if self.features is None:
            return lattice_of_images(
                self.sizes, self.stds, self.images, threads, device, wide_keys=self.wide_keys
            )
        return Lattice(self.features, threads, device, self.image_sizes, wide_keys=self.wide_keys)


class Lattice:
    """A Gaussian filter over N points, to be built once and used with any number of CRFs of these points.

    features: (d, N) planes in units of the standard deviation. device: None for the CPU or a GPU, in whose
    memory the lattice is and whose tensors it filters. image_sizes: on a GPU, the points of each of several
    images, which do not interact. wide_keys: on the CPU, features for which the original's 16-bit coordinates
    do not do are embedded in doubles, with 32-bit coordinates and a warning. `native` is the lattice as the
    ops have it, `recipe` what copies are built from (by default the features). Raises DeepLabError: NaN or so
    large that coordinates leave their bits.
    """

    def __init__(
        self,
        features: Array,
        threads: int | None = None,
        device: Device = None,
        image_sizes: Sequence[int] | None = None,
        recipe: Recipe | None = None,
        *,
        wide_keys: bool = False,
    ) -> None:
        self.threads, self.backend = threads, backend_for(device)
        planes = self.backend.array("features", features)
        counts = None if image_sizes is None else tuple(image_sizes)
        self.recipe = recipe or Recipe(self.backend.copy(planes), image_sizes=counts, wide_keys=wide_keys)
        self.native = self.backend.ops.lattice(planes, image_sizes, wide_keys=wide_keys, threads=threads)
        self._ones: Array | None = None

    @property
    def source(self) -> tuple[Recipe, int | None, Device]:
        """What `Recipe.build` makes an equal lattice of."""
        return self.recipe, self.threads, self.backend

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe.build, self.source

    @property
    def device(self) -> Any:
        """The torch.device of the GPU it is on; None for the CPU."""
        return self.backend.device

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
        return self.backend.ops.lattice_filter(self.native, values, before, adjoint, threads=self.threads)

    def norms(self, normalization: Normalization) -> tuple[Array | None, Array | None]:
        """The factors (N) before and after the filter that normalise it; None is 1."""
        if normalization not in NORMALIZATIONS:
            raise DeepLabError(f"normalization {normalization}: one of {', '.join(NORMALIZATIONS)} wanted")
        if normalization == "none":
            return None, None
        if self._ones is None:
            self._ones = self.backend.ops.lattice_ones(self.native, threads=self.threads)
        norm = self.backend.ops.norms(self._ones, normalization == "symmetric")
        if normalization == "symmetric":
            return norm, norm
        return (norm, None) if normalization == "before" else (None, norm)


def position_lattice(
    height: int, width: int, std: Std, threads: int | None = None, device: Device = None
) -> Lattice:
    """Lattice of pixel positions; std: pixels, one number or (x, y)."""
    return position_lattice_of_images([(height, width)], std, threads, device)


def bilateral_lattice(
    image: Array, xy_std: Std, rgb_std: Std, threads: int | None = None, device: Device = None
) -> Lattice:
    """Lattice of positions and colours of an image (H, W, C); stds: one number, (x, y), one a channel."""
    return bilateral_lattice_of_images([image], xy_std, rgb_std, threads, device)


def position_lattice_of_images(
    sizes: Sequence[Pair],
    std: Std,
    threads: int | None = None,
    device: Device = None,
    *,
    wide_keys: bool = False,
) -> Lattice:
    """One lattice of the pixels of images of (height, width), one after the other; several only on a GPU."""
    return lattice_of_images(sizes, _numbers("std", std, 2), [], threads, device, wide_keys=wide_keys)


def bilateral_lattice_of_images(
    images: Sequence[Array],
    xy_std: Std,
    rgb_std: Std,
    threads: int | None = None,
    device: Device = None,
    *,
    wide_keys: bool = False,
) -> Lattice:
    """The same of positions and colours of images (H, W, C) of any sizes."""
    images = [image if is_tensor(image) else as_array("image", image) for image in images]
    shapes = [_image_shape(image) for image in images]
    channels = {shape[2] for shape in shapes}
    if len(channels) != 1:
        raise DeepLabError(f"images of {', '.join(map(str, sorted(channels)))} channels do not go together")
    stds = stds_of_image(xy_std, rgb_std, *channels)
    sizes = [shape[:2] for shape in shapes]
    return lattice_of_images(sizes, stds, images, threads, device, wide_keys=wide_keys)


def stds_of_image(xy_std: Std, rgb_std: Std, channels: int) -> tuple[float, ...]:
    """One standard deviation a feature of an image's pixels: x, y, then its channels."""
    return _numbers("xy_std", xy_std, 2) + _numbers("rgb_std", rgb_std, channels)


def lattice_of_images(
    sizes: Sequence[Pair],
    stds: tuple[float, ...],
    images: Sequence[Array],
    threads: int | None,
    device: Device,
    *,
    wide_keys: bool = False,
) -> Lattice:
    """The lattice of images of (height, width), by the standard deviations of x, y and each channel.

    Without images it is one of positions. Deviations may be infinite, which leaves the feature out, and
    negative, which turns its axis round; the callers above allow neither. On the CPU, that of positions may
    be the one that an earlier call gave.
    """
    backend = backend_for(device)
    points = sum(height * width for height, width in sizes)
    if not images and backend.device is None and points <= _KEPT_POINTS:
        return _kept(tuple(sizes), stds, threads, thread_count(threads), wide_keys)
    return _built(sizes, stds, images, threads, backend, wide_keys)


@lru_cache(maxsize=4)
def _kept(
    sizes: tuple[Pair, ...], stds: tuple[float, ...], threads: int | None, _count: int, wide_keys: bool
) -> Lattice:
    """A lattice of positions: that of the next image of the same size, too. _count: what `threads` is now."""
    return _built(sizes, stds, [], threads, backend_for(None), wide_keys)


def forget_positions() -> None:
    """Frees the lattices of positions that are kept for the next image of a size."""
    _kept.cache_clear()


def _built(
    sizes: Sequence[Pair],
    stds: tuple[float, ...],
    images: Sequence[Array],
    threads: int | None,
    backend: Backend,
    wide_keys: bool,
) -> Lattice:
    planes = backend.image_features(sizes, stds, images)
    copies = tuple(image.clone() if is_tensor(image) else image.copy() for image in images)
    recipe = Recipe(None, tuple(sizes), stds, copies, wide_keys=wide_keys)
    counts = [height * width for height, width in sizes]
    return Lattice(planes, threads, backend, counts, recipe, wide_keys=wide_keys)


def _image_shape(image: Array) -> tuple[int, int, int]:
    shape = tuple(image.shape)
    if len(shape) != 3 or 0 in shape:
        raise DeepLabError(f"image: {shape} given, (height, width, channels) wanted")
    return shape


def _numbers(name: str, value: float | Sequence[float], count: int) -> tuple[float, ...]:
    values = tuple(np.atleast_1d(np.asarray(value, np.float64)).tolist())
    if len(values) not in (1, count):
        raise DeepLabError(f"{name}: {len(values)} numbers given, 1 or {count} wanted")
    for one in values:
        if not (math.isfinite(one) and np.float32(one) > 0):
            raise DeepLabError(f"{name} {one:g}: a number above 0 wanted")
    return values * count if len(values) == 1 else values
