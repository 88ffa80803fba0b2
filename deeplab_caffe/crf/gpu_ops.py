"""Ops of the dense CRF on a GPU: names, results and bits of `crf_ops`, with tensors of the device.

Rows of labels are padded to four in memory: what is returned is a view of the labels, and it goes in again
without a copy. Results are ready when torch's current stream is done with them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch

from ..errors import DeepLabError
from ..ops.backend import kernels
from ..ops.checks import check
from ..ops.elementwise import log as exact_log
from .cpu_ops import Pairwise

Tensor = torch.Tensor
# What says that no point is bad so far.
NONE_BAD = -1


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """A device's limits (labels, kernels, memory) as the user's errors."""
    try:
        yield
    except ValueError as error:
        raise DeepLabError(f"mean field: {error}") from None
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).split(". ")[0]
        raise DeepLabError(f"the CRF does not fit in the GPU's memory: {reason}") from None


class Lattice:
    """A lattice in a device's memory, which `storage` holds. See cpu_ops.lattice."""

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


@_one_line_errors()
def lattice(
    features: Tensor, image_sizes: Sequence[int] | None = None, *, threads: int | None = None
) -> Lattice:
    """The lattice of points given as planes of features, (d, points), d from 1 to 16.

    Features are in units of the kernel's standard deviation. image_sizes: the points of each of several
    images that follow one another and do not interact; None: it is one. Waits for the device once, for the
    number of vertices. Raises DeepLabError if features are not finite or so large that a coordinate leaves
    16 bits.
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
        )
    size = module.Lattice.bytes_of(points, vertices, d)
    storage = torch.empty(size, dtype=torch.uint8, device=features.device)
    native = module.Lattice(points, vertices, d, storage.data_ptr())
    module.lattice_connect(native, len(sizes), scratch.data_ptr(), stream)
    return Lattice(native, storage)


@_one_line_errors()
def image_features(
    sizes: Sequence[tuple[int, int]],
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
        address = planes.data_ptr() + 4 * first
        module.image_features(_address(image), height, width, count, list(stds), address, points, stream)
        first += height * width
    return planes


@_one_line_errors()
def lattice_filter(
    lattice: Lattice,
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


@_one_line_errors()
def lattice_ones(lattice: Lattice, *, threads: int | None = None) -> Tensor:
    """See cpu_ops.lattice_ones."""
    ones = torch.ones(1, 4, device=lattice.storage.device)
    return _filter(lattice, ones, 0, 1, None, False)[:, 0]


def norms(ones: Tensor, root: bool) -> Tensor:
    """See cpu_ops.norms."""
    out = torch.empty(len(ones), device=ones.device)
    module, stream = kernels(ones)
    module.filter_norms(ones.data_ptr(), ones.stride(0), root, out.data_ptr(), len(out), stream)
    return out


@_one_line_errors()
def mean_field_start(
    unary: Tensor, true_exp: bool = False, *, bad: Tensor | None = None, threads: int | None = None
) -> Tensor:
    """See cpu_ops.mean_field_start. With `bad` of `bad_point` nothing is raised: check_points does that."""
    rows = padded(unary)
    points, labels = unary.shape
    if points == 0 or labels == 0:
        raise DeepLabError(f"mean_field_start: unary {tuple(unary.shape)}; points and labels wanted")
    own = bad_point(unary) if bad is None else bad
    q = torch.empty_like(rows)
    addresses = rows.data_ptr(), q.data_ptr(), points, labels, true_exp, own.data_ptr()
    module, stream = kernels(unary)
    module.mean_field_start(*addresses, stream)
    if bad is None:
        check_points(own, unary)
    return q[:, :labels]


@_one_line_errors()
def mean_field_iterate(
    pairwise: Sequence[Pairwise],
    unary: Tensor,
    q: Tensor,
    iterations: int = 1,
    true_exp: bool = False,
    *,
    bad: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """See cpu_ops.mean_field_iterate. With `bad` nothing is raised or waited for."""
    rows = padded(unary)
    points, labels = unary.shape
    result = padded(q if q.shape == unary.shape else q.reshape(unary.shape))
    module, stream = kernels(unary)
    native, keep = [], []
    for kernel in pairwise:
        if kernel.lattice.points != points:
            raise DeepLabError(
                f"mean_field_iterate: a lattice of {kernel.lattice.points} points, {points} wanted"
            )
        numbers = [
            None if x is None else check("mean_field_iterate", x, count=points, like=unary)
            for x in (kernel.before, kernel.scale)
        ]
        numbers += [
            None if x is None else padded(x.reshape(-1, labels).to(unary))
            for x in (kernel.label_weights, kernel.compatibility)
        ]
        tables = kernel.lattice.tables(labels)
        keep.append((numbers, tables))
        native.append(
            module.PairwiseKernel(kernel.lattice.native, *map(_address, numbers), tables.data_ptr())
        )
    own = bad_point(unary) if bad is None else bad
    addresses = rows.data_ptr(), result.data_ptr(), points, labels, iterations, true_exp, own.data_ptr()
    module.mean_field_iterate(native, *addresses, stream)
    if bad is None:
        check_points(own, unary)
    return result[:, :labels]


def mean_field(
    pairwise: Sequence[Pairwise],
    unary: Tensor,
    iterations: int,
    true_exp: bool = False,
    *,
    bad: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """mean_field_start, then mean_field_iterate, with one wait for the device, or none with `bad`."""
    own = bad_point(unary) if bad is None else bad
    q = mean_field_start(unary, true_exp, bad=own)
    q = mean_field_iterate(pairwise, unary, q, iterations, true_exp, bad=own)
    if bad is None:
        check_points(own, unary)
    return q


def best_labels(q: Tensor, *, threads: int | None = None) -> Tensor:
    """See cpu_ops.best_labels."""
    rows = padded(q)
    points, labels = q.shape
    if not 1 <= labels <= 32767:
        raise DeepLabError(f"best_labels: {labels} labels; 1 to 32767 wanted")
    best = torch.empty(points, dtype=torch.int16, device=q.device)
    if points:
        module, stream = kernels(q)
        module.best_labels(rows.data_ptr(), best.data_ptr(), points, labels, stream)
    return best


def bad_point(like: Tensor) -> Tensor:
    """What the mean field notes the first point without a distribution in: none so far."""
    return torch.full((1,), NONE_BAD, dtype=torch.int64, device=like.device)


def check_points(bad: Tensor, unary: Tensor) -> None:
    """Waits for the device and raises DeepLabError if the mean field met a point without a distribution."""
    number = int(bad)
    if number == NONE_BAD:
        return
    iteration, point = number >> 32, number & 0xFFFFFFFF
    if iteration:
        raise DeepLabError(f"mean field: the logits of point {point} overflow; smaller weights are needed")
    row = unary[point].tolist()
    energies = ", ".join(f"{value:g}" for value in row[:8])
    raise DeepLabError(
        f"unary: point {point} has the energies {energies}{', ...' if len(row) > 8 else ''}; "
        "no NaN, no minus infinity and at least one finite energy wanted"
    )


def padded(x: Tensor) -> Tensor:
    """Rows (n, labels) as rows (n, labels rounded up to four); no copy where x is a view of such rows."""
    if x.dtype != torch.float32 or x.dim() != 2:
        raise DeepLabError(f"{x.dim()} dimensions of {x.dtype} given, rows of float32 wanted")
    count, labels = x.shape
    row = -(-labels // 4) * 4
    size = x.untyped_storage().nbytes() // 4 - x.storage_offset()
    fits = x.stride() == (row, 1) and size >= count * row and x.data_ptr() % 16 == 0
    if fits:
        return x.as_strided((count, row), (row, 1))
    return torch.nn.functional.pad(x, (0, row - labels)).contiguous()


def joined(rows: Sequence[Tensor]) -> Tensor:
    """Rows (n, labels) of several tensors one after the other, padded to four in memory."""
    if len(rows) == 1:
        return padded(rows[0])[:, : rows[0].shape[1]]
    labels = rows[0].shape[1]
    result = torch.zeros(sum(map(len, rows)), -(-labels // 4) * 4, device=rows[0].device)
    first = 0
    for one in rows:
        result[first : first + len(one), :labels] = one
        first += len(one)
    return result[:, :labels]


def log(x: Tensor, *, threads: int | None = None) -> Tensor:
    """See cpu_ops.log."""
    return exact_log(x)


def _filter(
    lattice: Lattice, rows: Tensor, stride: int, channels: int, before: Tensor | None, adjoint: bool
) -> Tensor:
    out = torch.empty(lattice.points, rows.shape[1], device=rows.device)
    tables = lattice.tables(channels)
    addresses = (
        rows.data_ptr(),
        stride,
        channels,
        _address(before),
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


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()
