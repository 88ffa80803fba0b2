"""The lattice on a GPU: the ops of cpu_ops that build it and filter, with tensors of the device."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..errors import DeepLabError
from ..ops.backend import kernels
from ..ops.checks import check
from ..types import Pair
from .gpu_memory import address, one_line_errors, padded


class DeviceLattice:
    """The native lattice, which knows addresses only, and the device memory that they lie in."""

    def __init__(self, native: Any, storage: Tensor) -> None:
        self.native, self.storage = native, storage
        self.points: int = native.points
        self.dims: int = native.dims
        self.vertices: int = native.vertices

    @property
    def bytes(self) -> int:
        """Device memory it takes, without that of filtering."""
        return self.storage.numel()

    def tables(self, labels: int) -> Tensor:
        """Memory to filter `labels` labels in."""
        words = kernels(self.storage)[0].filter_words(self.vertices, labels)
        return torch.empty(words, dtype=torch.float32, device=self.storage.device)


@one_line_errors()
def lattice(
    features: Tensor,
    image_sizes: Sequence[int] | None = None,
    *,
    wide_keys: bool = False,
    threads: int | None = None,
) -> DeviceLattice:
    """The lattice of points given as planes of features, (d, points), d from 1 to 16.

    Features are in units of the kernel's standard deviation. image_sizes: the points of each of several
    images that follow one another and do not interact; None: it is one. Waits for the device once, for the
    number of vertices. Raises DeepLabError if features are not finite or so large that a coordinate leaves
    16 bits; keys on a GPU have no more (wide_keys changes the error's advice).
    """
    features = check("lattice: features", features, 2)
    module, stream = kernels(features)
    d, points = features.shape
    if not 1 <= d <= module.MAX_LATTICE_DIMS:
        raise DeepLabError(
            f"lattice: {d} features a point given, 1 to {module.MAX_LATTICE_DIMS} wanted on a GPU"
        )
    sizes = (points,) if image_sizes is None else tuple(image_sizes)
    if points == 0 or min(sizes) < 1 or sum(sizes) != points:
        raise DeepLabError(f"lattice: {points} points in images of {', '.join(map(str, sizes))}")
    try:
        size = module.embedding_bytes(points, len(sizes), d)
    except (OverflowError, TypeError):
        raise DeepLabError(f"lattice: {points} points of {d} features are too many") from None
    scratch = torch.empty(size, dtype=torch.uint8, device=features.device)
    counts = torch.empty(2, dtype=torch.int32, device=features.device)
    starts = _starts(sizes, features.device)
    addresses = features.data_ptr(), starts.data_ptr(), points, len(sizes), d, scratch.data_ptr()
    module.lattice_embed(*addresses, counts.data_ptr(), stream)
    vertices, overflow = counts.tolist()
    if overflow:
        raise DeepLabError(
            "lattice: features too large for 16-bit lattice coordinates: the largest of the features, in "
            f"standard deviations, is {float(features.abs().max()):g}; larger standard deviations are needed"
            f"{', or device cpu, which has wider ones' if wide_keys else ''}"
        )
    size = module.Lattice.bytes_of(points, vertices, d)
    storage = torch.empty(size, dtype=torch.uint8, device=features.device)
    native = module.Lattice(points, vertices, d, storage.data_ptr())
    module.lattice_connect(native, len(sizes), scratch.data_ptr(), stream)
    return DeviceLattice(native, storage)


@one_line_errors()
def image_features(
    sizes: Sequence[Pair],
    stds: Sequence[float],
    images: Sequence[Tensor],
    device: torch.device,
) -> Tensor:
    """Feature planes (2 + channels, points) of the pixels of images of (height, width), one after the other.

    They are the column and the row over stds[0] and stds[1], then the channels of `images` (height, width,
    channels), float32 tensors of the device, over the others of `stds`; without images, the first two only.
    """
    points = sum(height * width for height, width in sizes)
    planes = torch.empty(len(stds), points, device=device)
    module, stream = kernels(planes)
    if len(stds) > module.MAX_LATTICE_DIMS:
        raise DeepLabError(
            f"image of {len(stds) - 2} channels: at most {module.MAX_LATTICE_DIMS - 2} wanted on a GPU"
        )
    first = 0
    for number, (height, width) in enumerate(sizes):
        count, image = len(stds) - 2, None
        if images:
            image = check("image", images[number], 3, height * width * count, planes)
        target = planes.data_ptr() + 4 * first
        module.image_features(address(image), height, width, count, list(stds), target, points, stream)
        first += height * width
    return planes


@one_line_errors()
def lattice_filter(
    lattice: DeviceLattice,
    values: Tensor,
    before: Tensor | None = None,
    adjoint: bool = False,
    *,
    threads: int | None = None,
) -> Tensor:
    """See cpu_ops.lattice_filter; float32 only."""
    rows = padded(values)
    points, channels = values.shape
    if points != lattice.points or channels == 0:
        raise DeepLabError(
            f"lattice_filter: values {tuple(values.shape)} for a lattice of {lattice.points} points"
        )
    before = None if before is None else check("lattice_filter: before", before, 1, points, values)
    return _filter(lattice, rows, rows.stride(0), channels, before, adjoint)


@one_line_errors()
def lattice_ones(lattice: DeviceLattice, *, threads: int | None = None) -> Tensor:
    """See cpu_ops.lattice_ones."""
    ones = torch.ones(1, 4, device=lattice.storage.device)
    return _filter(lattice, ones, 0, 1, None, False)[:, 0]


def norms(ones: Tensor, root: bool) -> Tensor:
    """See cpu_ops.norms."""
    out = torch.empty(len(ones), device=ones.device)
    module, stream = kernels(ones)
    module.filter_norms(ones.data_ptr(), ones.stride(0), root, out.data_ptr(), len(out), stream)
    return out


def _filter(
    lattice: DeviceLattice, rows: Tensor, stride: int, channels: int, before: Tensor | None, adjoint: bool
) -> Tensor:
    out = torch.empty(lattice.points, rows.shape[1], device=rows.device)
    tables = lattice.tables(channels)
    addresses = (
        rows.data_ptr(),
        stride,
        channels,
        address(before),
        adjoint,
        tables.data_ptr(),
        out.data_ptr(),
    )
    module, stream = kernels(rows)
    module.lattice_filter(lattice.native, *addresses, stream)
    return out[:, :channels]


@lru_cache(maxsize=64)
def _starts(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor([0, *sizes]).cumsum(0).to(device, torch.int32)
