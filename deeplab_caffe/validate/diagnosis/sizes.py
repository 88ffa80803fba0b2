"""Scores of another size: cut, or enlarged by somebody else."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from ...types import Floats, Pair, plane
from ..pairing import Ours
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import OfBlob, Variant


@hypothesis("size of the scores")
def score_size(case: Case) -> Trials:
    """Theirs is a part of ours, ours a part of theirs, or one of them resized."""
    ours, theirs = case.probe.shape, case.probe.their_shape
    if len(ours) != 4 or len(theirs) != 4 or ours[:2] != theirs[:2] or ours == theirs:
        raise NotApplicableError("both have the same size, or differ in more than that")
    mine, wanted = plane(ours), plane(theirs)
    if wanted[0] <= mine[0] and wanted[1] <= mine[1]:
        for text, top, left in _corners(mine, wanted):
            yield Variant(f"theirs is ours without {text}", ours=_of_size(mine, _cut(wanted, top, left)))
    if mine[0] <= wanted[0] and mine[1] <= wanted[1]:
        for text, top, left in _corners(wanted, mine):
            yield Variant(f"ours is theirs without {text}", theirs=_of_size(wanted, _cut(mine, top, left)))
    for corners in (True, False):
        how = "corners on corners" if corners else "centres on centres"
        yield Variant(f"ours resized to theirs' size, {how}", ours=_of_size(mine, _resize(wanted, corners)))
        yield Variant(f"theirs resized to our size, {how}", theirs=_of_size(wanted, _resize(mine, corners)))


def _corners(larger: Pair, smaller: Pair) -> list[tuple[str, int, int]]:
    """What is cut away, and where the rest begins."""
    rows, columns = larger[0] - smaller[0], larger[1] - smaller[1]
    places = {
        (0, 0): "what is at the bottom and right",
        (rows // 2, columns // 2): "a border",
        (rows, columns): "what is at the top and left",
    }
    return [(text, top, left) for (top, left), text in places.items()]


def _of_size(size: Pair, function: Callable[[Floats], Floats]) -> OfBlob:
    """The function of maps of this size; others stay as they are."""

    def change(values: Floats, ours: Ours) -> Floats:
        fits = values.ndim == 4 and plane(values.shape) == size
        return np.ascontiguousarray(function(values)) if fits else values

    return change


def _cut(size: Pair, top: int, left: int) -> Callable[[Floats], Floats]:
    return lambda x: x[:, :, top : top + size[0], left : left + size[1]]


def _resize(size: Pair, corners: bool) -> Callable[[Floats], Floats]:
    def resized(x: Floats) -> Floats:
        tensor = torch.from_numpy(np.ascontiguousarray(x))
        return functional.interpolate(tensor, size, mode="bilinear", align_corners=corners).numpy()

    return resized
