"""Ops of the dense CRF on a GPU: names, results and bits of `cpu_ops`, with tensors of the device.

Rows of labels are padded to four in memory: what is returned is a view of the labels, and it goes in again
without a copy. Results are ready when torch's current stream is done with them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import DeepLabError
from ..ops.backend import kernels
from ..ops.checks import check
from ..ops.elementwise import log as exact_log
from .cpu_ops import Pairwise
from .gpu_lattice import lattice, lattice_filter, lattice_ones, norms
from .gpu_memory import address, one_line_errors, padded

__all__ = [
    "bad_point",
    "best_labels",
    "check_points",
    "lattice",
    "lattice_filter",
    "lattice_ones",
    "log",
    "mean_field",
    "mean_field_iterate",
    "mean_field_start",
    "norms",
]

# What says that no point is bad so far.
NONE_BAD = -1


@one_line_errors()
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


@one_line_errors()
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
        native.append(module.PairwiseKernel(kernel.lattice.native, *map(address, numbers), tables.data_ptr()))
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


def log(x: Tensor, *, threads: int | None = None) -> Tensor:
    """See cpu_ops.log."""
    return exact_log(x)
