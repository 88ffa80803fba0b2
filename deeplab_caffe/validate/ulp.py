"""How far two float32 arrays are apart: differing bits, ulps, errors, and where.

Worked through in pieces that fit a processor's cache, so that a blob takes no memory besides its own.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..types import Floats
from .grid import Grid, largest_of_cells
from .results import Extreme, Numbers

_PIECE = 1 << 16  # values
_BITS = 33  # bit lengths of a uint32, 0 among them
_SMALL = 1e-20  # below it a sum of squares in float32 may have lost most of them
_MAGNITUDE = np.int32(0x7FFFFFFF)


def distance(a: Floats, b: Floats) -> NDArray[np.uint32]:
    """How many float32 values lie between each of two arrays' values, plus one; 0 where they are equal.

    +0 and -0 are equal; infinity follows the largest number. NaNs have no distance: whatever comes out.
    """
    x, y = _ordered(a), _ordered(b)
    # In the order's own width the difference may overflow, but its bits are right as an unsigned number.
    return (np.maximum(x, y) - np.minimum(x, y)).view(np.uint32)


def _ordered(values: Floats) -> NDArray[np.int32]:
    """Integers in the order of the float32 values; both zeros are 0."""
    bits = values.view(np.int32)
    negative = bits >> 31  # -1 or 0
    return (bits ^ (negative & _MAGNITUDE)) - negative


def bit_length(distances: NDArray[np.uint32]) -> NDArray[np.int64]:
    """0 for 0, k for 2**(k-1) to 2**k - 1."""
    exponents = distances.astype(np.float64).view(np.int64) >> 52
    return np.maximum(exponents - 1022, 0)


def compare(ours: Floats, theirs: Floats) -> tuple[Numbers, Grid | None]:
    """The numbers of two arrays of the same shape, and the map of bit lengths over their last two axes.

    The map is None where all values are equal, or where there are no such axes.
    """
    if not ours.size:
        return _Sums().numbers(ours, theirs), None
    sums = _Sums()
    shape = ours.shape
    plane = shape[-2] * shape[-1] if ours.ndim > 2 else 1
    a, b = np.ascontiguousarray(ours).reshape(-1), np.ascontiguousarray(theirs).reshape(-1)
    if np.array_equal(a.view(np.int32), b.view(np.int32)):
        sums.nan_both = int(np.isnan(a).sum()) if np.isnan(np.dot(a, a)) else 0
        return sums.numbers(ours, theirs), None
    worst = np.zeros(plane, np.uint32)
    if plane > _PIECE:
        for start in range(0, a.size, plane):
            for first in range(start, start + plane, _PIECE):
                end = min(first + _PIECE, start + plane)
                ulps = sums.add(a[first:end], b[first:end], first)
                if ulps is not None:
                    cells = worst[first - start : end - start]
                    np.maximum(cells, ulps, out=cells)
    else:
        step = _PIECE // plane * plane
        for first in range(0, a.size, step):
            ulps = sums.add(a[first : first + step], b[first : first + step], first)
            if ulps is not None and plane > 1:
                np.maximum(worst, ulps.reshape(-1, plane).max(axis=0), out=worst)
    numbers = sums.numbers(ours, theirs)
    if plane == 1 or not numbers.different:
        return numbers, None
    lengths = bit_length(worst).astype(np.uint8).reshape(shape[-2:])
    return numbers, largest_of_cells(lengths)


@dataclass
class _Sums:
    """What grows from piece to piece."""

    different: int = 0
    zeros: int = 0
    nan_both: int = 0
    nan_ours: int = 0
    nan_theirs: int = 0
    max_ulp: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BITS, np.int64))
    squares: float = 0.0
    their_squares: float = 0.0
    largest: float = 0.0
    their_largest: float = 0.0
    where: int | None = None

    def add(self, a: Floats, b: Floats, start: int) -> NDArray[np.uint32] | None:
        """Counts a piece that begins at number `start`; its ulp distances, None where all are equal."""
        with np.errstate(over="ignore", invalid="ignore"):
            difference = a - b
            squares, their_squares = float(np.dot(difference, difference)), float(np.dot(b, b))
        if not np.isfinite(squares + their_squares) or (their_squares < _SMALL and b.any()):
            return self._add_unusual(a, b, start)
        self.squares += squares
        self.their_squares += their_squares
        self.their_largest = max(self.their_largest, float(b.max()), -float(b.min()))
        different = int(np.count_nonzero(a.view(np.int32) != b.view(np.int32)))
        if not different:
            self.counts[0] += a.size
            return None
        self._note(difference, start)
        ulps = distance(a, b)
        self._count(ulps, different)
        return ulps

    def _add_unusual(self, a: Floats, b: Floats, start: int) -> NDArray[np.uint32]:
        """A piece with NaNs, infinities, or values whose squares float32 cannot hold."""
        nan_a, nan_b = np.isnan(a), np.isnan(b)
        self.nan_both += int((nan_a & nan_b).sum())
        self.nan_ours += int((nan_a & ~nan_b).sum())
        self.nan_theirs += int((nan_b & ~nan_a).sum())
        usual = ~(nan_a | nan_b)
        ulps = np.where(usual, distance(a, b), 0)
        same = a.view(np.int32) == b.view(np.int32)
        one_nan = int((nan_a ^ nan_b).sum())
        self.different += one_nan
        self._count(ulps[usual], int((~same & usual).sum()))
        with np.errstate(invalid="ignore"):
            difference = np.where(usual & ~same, a.astype(np.float64) - b.astype(np.float64), 0)
        finite = np.where(np.isfinite(b), b, 0).astype(np.float64)
        self.squares += float(np.dot(difference, difference))
        self.their_squares += float(np.dot(finite, finite))
        self.their_largest = max(self.their_largest, float(np.abs(finite).max()))
        self._note(difference, start)
        ulps[nan_a ^ nan_b] = np.iinfo(np.uint32).max
        return ulps

    def _note(self, difference: NDArray, start: int) -> None:
        largest = max(float(difference.max()), -float(difference.min()))
        if largest > self.largest or self.where is None:
            self.largest = largest
            self.where = start + int(np.abs(difference).argmax())

    def _count(self, ulps: NDArray[np.uint32], different: int) -> None:
        if not ulps.size:
            return
        lengths = np.bincount(bit_length(ulps), minlength=_BITS)
        self.counts += lengths
        self.different += different
        self.zeros += different - int(lengths[1:].sum())
        self.max_ulp = max(self.max_ulp, int(ulps.max()))

    def numbers(self, ours: Floats, theirs: Floats) -> Numbers:
        counts = self.counts
        if not self.different:
            counts = np.zeros(_BITS, np.int64)
            counts[0] = ours.size - self.nan_both
        last = int(np.flatnonzero(counts)[-1]) if counts.any() else 0
        worst = None
        if self.different and self.where is not None:
            index = np.unravel_index(self.where, ours.shape)
            a, b = ours[index], theirs[index]
            ulp = int(distance(np.array([a], np.float32), np.array([b], np.float32))[0])
            worst = Extreme([int(i) for i in index], float(a), float(b), ulp)
        return Numbers(
            count=ours.size,
            different=self.different,
            zeros=self.zeros,
            nan_both=self.nan_both,
            nan_ours=self.nan_ours,
            nan_theirs=self.nan_theirs,
            max_ulp=self.max_ulp,
            ulp_histogram=[int(count) for count in counts[: last + 1]],
            error=_ratio(self.squares**0.5, self.their_squares**0.5),
            largest_error=self.largest,
            largest_relative=_ratio(self.largest, self.their_largest),
            worst=worst,
        )


def _ratio(difference: float, size: float) -> float:
    if difference == 0:
        return 0.0
    return difference / size if size else float("inf")
