"""Ops of the dense CRF: the permutohedral lattice as a Gaussian filter, and the mean-field iteration."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from .. import _C
from ..errors import DeepLabError
from .common import Tensor, check, thread_count

MAX_FEATURES = _C.MAX_LATTICE_DIMS
# The kernels read whole vectors of labels, so beyond the last label of the last point.
_SLACK = 8


class Pairwise(NamedTuple):
    """One Gaussian kernel over all pairs of points, as the mean field applies it.

    It adds scale * filter(before * q) to the logits; each label's share times `label_weights`, or all of them
    times the matrix `compatibility` [from, to].
    """

    lattice: _C.Lattice
    scale: Tensor  # (points)
    before: Tensor | None = None  # (points)
    label_weights: Tensor | None = None  # (labels)
    compatibility: Tensor | None = None  # (labels, labels)


def lattice(features: Tensor, *, threads: int | None = None) -> _C.Lattice:
    """The lattice of points given as planes of features, (d, points), d from 1 to MAX_FEATURES.

    Features are in units of the kernel's standard deviation. Raises DeepLabError if they are not finite or so
    large that a coordinate leaves 16 bits.
    """
    features = check("lattice: features", features, 2)
    d, points = features.shape
    if not 1 <= d <= MAX_FEATURES:
        raise DeepLabError(f"lattice: {d} features a point given, 1 to {MAX_FEATURES} wanted")
    if points == 0:
        raise DeepLabError("lattice: no points given")
    try:
        return _C.Lattice(features.data_ptr(), points, d, thread_count(threads))
    except OverflowError as error:
        largest = features.abs().max().item()
        raise DeepLabError(
            f"lattice: {error}: the largest of the features, in standard deviations, is {largest:g}; "
            "larger standard deviations are needed"
        ) from None


def lattice_filter(
    lattice: _C.Lattice, values: Tensor, before: Tensor | None = None, *, threads: int | None = None
) -> Tensor:
    """Gaussian filter (not normalised) of values (points, channels), each first times `before` (points)."""
    values = check("lattice_filter: values", values, 2)
    points, channels = values.shape
    if points != lattice.points or channels == 0:
        raise DeepLabError(
            f"lattice_filter: values {tuple(values.shape)} for a lattice of {lattice.points} points"
        )
    before = before if before is None else check("lattice_filter: before", before, 1, points)
    values = _with_slack(values)
    out = torch.empty(points, _padded(channels))
    addresses = values.data_ptr(), channels, channels, _address(before), out.data_ptr()
    _C.lattice_filter(lattice, *addresses, thread_count(threads))
    return out[:, :channels]


def lattice_ones(lattice: _C.Lattice, *, threads: int | None = None) -> Tensor:
    """lattice_filter of 1 at every point, (points), without an array of ones."""
    ones = torch.ones(_SLACK)
    out = torch.empty(lattice.points, _padded(1))
    _C.lattice_filter(lattice, ones.data_ptr(), 0, 1, 0, out.data_ptr(), thread_count(threads))
    return out[:, 0].contiguous()


def mean_field_start(unary: Tensor, true_exp: bool = False, *, threads: int | None = None) -> Tensor:
    """softmax(-unary) of energies (points, labels), by the original's fast exponential or a true one.

    DeepLabError names the first point that has no distribution (NaN, minus infinity, only infinity).
    """
    unary = check("mean_field_start: unary", unary, 2)
    points, labels = unary.shape
    if points == 0 or labels == 0:
        raise DeepLabError(f"mean_field_start: unary {tuple(unary.shape)}; points and labels wanted")
    q = _empty(points, labels)
    bad = _C.mean_field_start(unary.data_ptr(), q.data_ptr(), *unary.shape, true_exp, thread_count(threads))
    if bad < points:
        energies = ", ".join(f"{value:g}" for value in unary[bad, :8].tolist())
        raise DeepLabError(
            f"unary: point {bad} has the energies {energies}{', ...' if labels > 8 else ''}; "
            "no NaN, no minus infinity and at least one finite energy wanted"
        )
    return q


def mean_field_iterate(
    kernels: Sequence[Pairwise],
    unary: Tensor,
    q: Tensor,
    iterations: int = 1,
    true_exp: bool = False,
    *,
    threads: int | None = None,
) -> Tensor:
    """q after `iterations` updates q = softmax(-unary + all kernels of q), in place where q allows it.

    unary, q: (points, labels). Raises DeepLabError if the weights are so large that logits overflow.
    """
    unary = check("mean_field_iterate: unary", unary, 2)
    points, labels = unary.shape
    q = check("mean_field_iterate: q", q, 2, unary.numel())
    if q.untyped_storage().nbytes() // 4 - q.storage_offset() < q.numel() + _SLACK:
        q = _with_slack(q)
    keep, native = [], []
    for kernel in kernels:
        if kernel.lattice.points != points:
            raise DeepLabError(
                f"mean_field_iterate: a lattice of {kernel.lattice.points} points, {points} wanted"
            )
        rows = [
            None if t is None else check("mean_field_iterate", t, count=count)
            for t, count in ((kernel.before, points), (kernel.scale, points))
        ]
        rows += [
            None if t is None else _padded_rows(check("mean_field_iterate", t, count=count), labels)
            for t, count in ((kernel.label_weights, labels), (kernel.compatibility, labels * labels))
        ]
        keep.append(rows)
        native.append(_C.PairwiseKernel(kernel.lattice, *map(_address, rows)))
    addresses = unary.data_ptr(), q.data_ptr(), points, labels
    bad = _C.mean_field_iterate(native, *addresses, iterations, true_exp, thread_count(threads))
    if bad < points:
        raise DeepLabError(f"mean field: the logits of point {bad} overflow; smaller weights are needed")
    return q


def _padded(labels: int) -> int:
    return -(-labels // _SLACK) * _SLACK


def _padded_rows(x: Tensor, labels: int) -> Tensor:
    return torch.nn.functional.pad(x.reshape(-1, labels), (0, _padded(labels) - labels))


def _empty(points: int, labels: int) -> Tensor:
    storage = torch.empty(points * labels + _SLACK)
    storage[points * labels :] = 0
    return storage[: points * labels].view(points, labels)


def _with_slack(x: Tensor) -> Tensor:
    return _empty(*x.shape).copy_(x)


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()
