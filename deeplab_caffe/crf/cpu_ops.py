"""Ops of the dense CRF: the permutohedral lattice as a Gaussian filter, and the mean-field iteration.

Apart from `ops` because they need numpy only: a CRF runs without the time and memory torch takes to load.
Arrays are float32; `threads` is the number of CPU threads, None for torch's setting or that of the process.
The plain twin of each op is in `tests/reference`."""

import copy
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _C
from ..errors import DeepLabError, DeepLabWarning
from ..threads import at_work, thread_count
from ..types import Doubles, Floats, override
from .arrays import Array

try:
    _C.isa()  # DEEPLAB_CAFFE_ISA may force one that there is not
except ValueError as error:
    raise DeepLabError(str(error)) from None

MAX_FEATURES = _C.MAX_LATTICE_DIMS

# The kernels read whole vectors of labels, so beyond the last label of the last point.
_SLACK = 8


class Pairwise(NamedTuple):
    """One Gaussian kernel over all pairs of points, as the mean field applies it.

    It adds scale * filter(before * q) to the logits; each label's share times `label_weights`, or all of them
    times the matrix `compatibility` [from, to].
    """

    lattice: Any  # _C.Lattice, or gpu_ops.Lattice, whose arrays are tensors
    scale: Array  # (points)
    before: Array | None = None  # (points)
    label_weights: Array | None = None  # (labels)
    compatibility: Array | None = None  # (labels, labels)
    source: tuple[Any, ...] | None = None  # see Lattice.source: for copies in other processes

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _built_again, (self.source, *self[1:])

    def __deepcopy__(self, memo: dict[int, Any]) -> "Pairwise":
        """With the same lattice, which nothing changes."""
        return Pairwise(self.lattice, *copy.deepcopy(self[1:-1], memo), self.source)


def _built_again(source: tuple[Any, ...] | None, *fields: Any) -> Pairwise:
    """A kernel with another lattice, built of the same features."""
    if source is None:
        raise DeepLabError("a kernel that was made of a native lattice cannot be copied elsewhere")
    recipe, threads, backend = source
    return Pairwise(recipe.build(threads, backend).native, *fields)


@at_work()
def lattice(
    features: Floats,
    image_sizes: Sequence[int] | None = None,
    *,
    wide_keys: bool = False,
    threads: int | None = None,
) -> _C.Lattice:
    """The lattice of points given as planes of features, (d, points), d from 1 to MAX_FEATURES.

    Features are in units of the kernel's standard deviation. wide_keys: where they are so large that a
    coordinate leaves 16 bits, embed them in doubles, with coordinates of 32 bits, and warn. Raises
    DeepLabError if they are not finite or too large (without wide_keys: for 16 bits), for points of several
    images, which need a GPU, and if there is not enough memory.
    """
    if image_sizes is not None and len(image_sizes) > 1:
        raise DeepLabError("a lattice over several images is built on a GPU: device cuda wanted")
    features = _check("lattice: features", features, 2)
    d, points = features.shape
    if not 1 <= d <= MAX_FEATURES:
        raise DeepLabError(f"lattice: {d} features a point given, 1 to {MAX_FEATURES} wanted")
    if points == 0:
        raise DeepLabError("lattice: no points given")
    try:
        native = _C.Lattice(_address(features), points, d, wide_keys, thread_count(threads))
    except OverflowError as error:
        if not np.isfinite(features).all():
            feature, point = np.argwhere(~np.isfinite(features))[0]
            raise DeepLabError(
                f"lattice: feature {feature} of point {point} is {features[feature, point]:g}; "
                "finite numbers wanted"
            ) from None
        raise DeepLabError(
            f"lattice: {error}: the largest of the features, in standard deviations, is "
            f"{np.abs(features).max():g}; larger standard deviations are needed"
        ) from None
    except MemoryError:
        raise DeepLabError(f"lattice: not enough memory for {points} points of {d} features") from None
    if native.wide:
        warnings.warn(
            f"lattice: features of up to {np.abs(features).max():g} standard deviations leave the 16-bit "
            "coordinates of the original program, which wraps them; 32-bit ones are taken. Are the standard "
            "deviations meant for other units?",
            DeepLabWarning,
            stacklevel=2,
        )
    return native


@at_work()
def lattice_filter(
    lattice: _C.Lattice,
    values: Floats | Doubles,
    before: Floats | Doubles | None = None,
    adjoint: bool = False,
    *,
    threads: int | None = None,
) -> Floats | Doubles:
    """Gaussian filter (not normalised) of values (points, channels), each first times `before` (points).

    adjoint: the transposed filter instead, as gradients need it; `before` still applies first. The lattice
    approximates a symmetric filter but is not exactly symmetric: it blurs its axes in a certain order, the
    adjoint in the reverse of it. float64 values are filtered in double precision.
    """
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    values = _check("lattice_filter: values", values, 2, dtype=dtype)
    points, channels = values.shape
    if points != lattice.points or channels == 0:
        raise DeepLabError(f"lattice_filter: values {values.shape} for a lattice of {lattice.points} points")
    if before is not None:
        before = _check("lattice_filter: before", before.astype(dtype, copy=False), 1, points, dtype)
    if dtype == np.float64:
        doubles: Doubles = np.empty((points, channels), np.float64)
        rest = _address(before), adjoint, _address(doubles), thread_count(threads)
        _C.lattice_filter_double(lattice, _address(values), channels, *rest)
        return doubles
    rows = _with_slack(values.astype(np.float32, copy=False))
    out: Floats = np.empty((points, channels), np.float32)
    rest = _address(before), adjoint, _address(out), thread_count(threads)
    _C.lattice_filter(lattice, _address(rows), channels, channels, *rest)
    return out


def lattice_ones(lattice: _C.Lattice, *, threads: int | None = None) -> Floats:
    """lattice_filter of 1 at every point, (points), without an array of ones."""
    ones = np.ones(_SLACK, np.float32)
    out = np.empty(lattice.points, np.float32)
    _C.lattice_filter(lattice, _address(ones), 0, 1, 0, False, _address(out), thread_count(threads))
    return out


def norms(ones: Floats, root: bool) -> Floats:
    """1 / (ones + 1e-20), or 1 / its root: what normalises the filter whose `lattice_ones` is `ones`."""
    total = ones + np.float32(1e-20)
    return 1 / np.sqrt(total) if root else 1 / total


def bad_point(like: Floats) -> None:
    """A GPU notes a point without a distribution there, for one look at the end; here ops raise at once."""


def check_points(bad: None, unary: Floats) -> None:
    """Nothing is left to raise: see bad_point."""


def mean_field_start(
    unary: Floats, true_exp: bool = False, *, bad: None = None, threads: int | None = None
) -> Floats:
    """softmax(-unary) of energies (points, labels), by the original's fast exponential or a true one.

    DeepLabError names the first point that has no distribution (NaN, minus infinity, only infinity).
    """
    unary = _check("mean_field_start: unary", unary, 2)
    points, labels = unary.shape
    if points == 0 or labels == 0:
        raise DeepLabError(f"mean_field_start: unary {unary.shape}; points and labels wanted")
    q = _empty(points, labels)
    addresses = _address(unary), _address(q), points, labels
    broken = _C.mean_field_start(*addresses, true_exp, thread_count(threads))
    if broken < points:
        raise _no_distribution(unary, broken)
    return q


@at_work()
def mean_field_iterate(
    kernels: Sequence[Pairwise],
    unary: Floats,
    q: Floats,
    iterations: int = 1,
    true_exp: bool = False,
    *,
    bad: None = None,
    threads: int | None = None,
) -> Floats:
    """q after `iterations` updates q = softmax(-unary + all kernels of q), in place where q allows it.

    unary, q: (points, labels). Raises DeepLabError if the weights are so large that logits overflow.
    """
    unary = _check("mean_field_iterate: unary", unary, 2)
    points, labels = unary.shape
    q = _check("mean_field_iterate: q", q, 2, unary.size)
    if not _has_slack(q):
        q = _with_slack(q)
    native, _keep = _native(kernels, points, labels)
    addresses = _address(unary), _address(q), points, labels
    broken = _C.mean_field_iterate(native, *addresses, iterations, true_exp, thread_count(threads))
    if broken < points:
        raise _overflow(broken)
    return q


@at_work()
def mean_field(
    kernels: Sequence[Pairwise],
    unary: Floats,
    iterations: int,
    true_exp: bool = False,
    *,
    bad: None = None,
    threads: int | None = None,
) -> Floats:
    """mean_field_start, then mean_field_iterate, faster. Raises what they raise."""
    unary = _check("mean_field: unary", unary, 2)
    points, labels = unary.shape
    if points == 0 or labels == 0:
        raise DeepLabError(f"mean_field: unary {unary.shape}; points and labels wanted")
    q = _empty(points, labels)
    native, _keep = _native(kernels, points, labels)
    addresses = _address(unary), _address(q), points, labels
    broken = _C.mean_field(native, *addresses, iterations, true_exp, thread_count(threads))
    if broken < points:
        row = unary[broken]
        lost = np.isnan(row).any() or row.min() == -np.inf or row.min() == np.inf
        raise _no_distribution(unary, broken) if lost else _overflow(broken)
    return q


def best_labels(q: Floats, *, threads: int | None = None) -> NDArray[np.int16]:
    """The most probable label of each point of q (points, labels), the lowest of equals; to 32767 labels."""
    q = _check("best_labels", q, 2)
    points, labels = q.shape
    if not 1 <= labels <= 32767:
        raise DeepLabError(f"best_labels: {labels} labels; 1 to 32767 wanted")
    best = np.empty(points, np.int16)
    if points:
        _C.best_labels(_address(q), _address(best), points, labels, thread_count(threads))
    return best


def log(x: Floats, *, threads: int | None = None) -> Floats:
    """Natural logarithms with the bits of the C library's logf."""
    x = _check("log", x)
    out = np.empty_like(x)
    if x.size:
        _C.exact_log(_address(x), _address(out), x.size, thread_count(threads))
    return out


def _check(
    name: str, x: NDArray, dims: int | None = None, count: int | None = None, dtype: type = np.float32
) -> NDArray:
    if x.dtype != dtype:
        raise DeepLabError(f"{name}: {x.dtype} given, {np.dtype(dtype)} wanted")
    if dims is not None and x.ndim != dims:
        raise DeepLabError(f"{name}: {x.ndim} dimensions given, {dims} wanted")
    if count is not None and x.size != count:
        raise DeepLabError(f"{name}: {x.size} values given, {count} wanted")
    return np.ascontiguousarray(x)


def _native(
    kernels: Sequence[Pairwise], points: int, labels: int
) -> tuple[list[_C.PairwiseKernel], list[list[Floats | None]]]:
    """The kernels with addresses, and the arrays that these belong to."""
    keep, native = [], []
    for kernel in kernels:
        if kernel.lattice.points != points:
            raise DeepLabError(f"mean field: a lattice of {kernel.lattice.points} points, {points} wanted")
        rows = [
            None if x is None else _check("mean field", x, count=points)
            for x in (kernel.before, kernel.scale)
        ]
        rows += [
            None if x is None else _padded_rows(_check("mean field", x, count=count), labels)
            for x, count in ((kernel.label_weights, labels), (kernel.compatibility, labels * labels))
        ]
        keep.append(rows)
        native.append(_C.PairwiseKernel(kernel.lattice, *map(_address, rows)))
    return native, keep


def _no_distribution(unary: Floats, point: int) -> DeepLabError:
    energies = ", ".join(f"{value:g}" for value in unary[point, :8])
    return DeepLabError(
        f"unary: point {point} has the energies {energies}{', ...' if unary.shape[1] > 8 else ''}; "
        "no NaN, no minus infinity and at least one finite energy wanted"
    )


def _overflow(point: int) -> DeepLabError:
    return DeepLabError(f"mean field: the logits of point {point} overflow; smaller weights are needed")


def _padded(labels: int) -> int:
    return -(-labels // _SLACK) * _SLACK


def _padded_rows(x: Floats, labels: int) -> Floats:
    return np.pad(x.reshape(-1, labels), ((0, 0), (0, _padded(labels) - labels)))


def _empty(points: int, labels: int) -> Floats:
    storage = np.empty(points * labels + _SLACK, np.float32)
    storage[points * labels :] = 0
    return storage[: points * labels].reshape(points, labels)


def _has_slack(x: Floats) -> bool:
    """Whether x lies in an array that goes on behind it, as `_empty` makes them."""
    base = x.base
    if not isinstance(base, np.ndarray) or not x.flags.writeable:
        return False
    return _address(base) + base.nbytes >= _address(x) + x.nbytes + 4 * _SLACK


def _with_slack(x: Floats) -> Floats:
    copy = _empty(*x.shape)
    copy[...] = x
    return copy


def _address(x: NDArray | None) -> int:
    return 0 if x is None else x.__array_interface__["data"][0]
