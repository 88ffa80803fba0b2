"""Compares one blob with its partner, right when it is there."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..evaluation.metrics import argmax_labels
from ..types import Floats, Pair, Shape
from .grid import corner_of_cells
from .labels import compare_labels, compare_scores, holds_scores
from .pairing import Ours
from .results import Comparison, Kind, Numbers, Picture, Status
from .theirs import Theirs, fitted
from .ulp import compare


@dataclass(frozen=True)
class Measure:
    """How far values may be apart to count as close. ulp: of each value; tolerance: largest difference over
    the largest magnitude of theirs. 0 and 0: equal bits wanted."""

    ulp: int = 0
    tolerance: float = 0.0

    def status(self, numbers: Numbers) -> Status:
        """Of float values."""
        if not numbers.different:
            return "equal"
        if numbers.nan_ours or numbers.nan_theirs:
            return "different"
        near = (self.ulp and numbers.max_ulp <= self.ulp) or (
            self.tolerance and numbers.largest_relative <= self.tolerance
        )
        return "close" if near else "different"


def compare_blob(
    ours: Ours,
    values: Floats,
    theirs: Theirs,
    measure: Measure,
    image: str = "",
    size: Pair | None = None,
    picture: bool = False,
) -> Comparison:
    """The comparison of a blob's values. size: of the photo, to which files of an image are cut.

    picture: whether to keep one to show, if they differ. DeepLabError: theirs cannot be read.
    """
    if theirs.read is None:
        return _by_hash(ours, values, theirs, image)
    other = theirs.read()
    if theirs.kind == "labels":
        return _labels(ours, values, np.asarray(other), theirs, image, size)
    if theirs.kind == "scores":
        values = cut(values, tuple(other.shape), size)
    other = fitted(other, values.shape)
    if other.shape != values.shape:
        return _comparison(ours, theirs, image, "shape", values.shape, other.shape)
    numbers, where = compare(values, other)
    labels = None
    if numbers.different and shows_labels(ours, values.shape):
        labels = compare_scores(values, other)
    status = measure.status(numbers)
    if status == "close" and labels is not None and labels.changed:
        status = "different"
    shown = _picture(values, other, numbers, labels is not None) if picture and status != "equal" else None
    return _comparison(
        ours,
        theirs,
        image,
        status,
        values.shape,
        other.shape,
        numbers=numbers,
        labels=labels,
        map=where,
        picture=shown,
    )


def compare_parameter(ours: Ours, values: Floats, theirs: Theirs, measure: Measure) -> Comparison:
    """The comparison of a layer's parameter."""
    assert theirs.read is not None
    other = fitted(theirs.read(), values.shape)
    if other.shape != values.shape:
        return _comparison(ours, theirs, "", "shape", values.shape, other.shape, "parameter")
    numbers, _ = compare(values, other)
    status = measure.status(numbers)
    return _comparison(ours, theirs, "", status, values.shape, other.shape, "parameter", numbers=numbers)


def label_map(values: Floats, shape: Shape, size: Pair | None) -> NDArray:
    """The labels (H, W) of a blob's first image: the best of its channels, or what its only channel holds."""
    values = cut(values, shape, size)
    return (argmax_labels(values) if values.shape[1] > 1 else values[:, 0])[0]


def shows_labels(ours: Ours, shape: Shape) -> bool:
    """Whether the blob is a score map whose labels matter: the net's output, or what is written of it."""
    return bool(ours.files) and holds_scores(shape)


def cut(values: Floats, shape: Shape, size: Pair | None) -> Floats:
    """The top left part of a blob, as large as a file of an image has it."""
    height, width = size if size is not None else shape[-2:] if len(shape) > 1 else (0, 0)
    if len(shape) > 2 and shape[-3] != values.shape[1]:
        return values
    fits = values.ndim == 4 and height <= values.shape[2] and width <= values.shape[3]
    return np.ascontiguousarray(values[:, :, :height, :width]) if fits and height and width else values


def _by_hash(ours: Ours, values: Floats, theirs: Theirs, image: str) -> Comparison:
    shape = theirs.shape if theirs.shape is not None else values.shape
    if tuple(shape) != values.shape:
        return _comparison(ours, theirs, image, "shape", values.shape, shape, by_hash=True)
    digest = hashlib.sha256(np.ascontiguousarray(values, "<f4").data).hexdigest()
    status: Status = "equal" if digest == theirs.sha256 else "different"
    return _comparison(ours, theirs, image, status, values.shape, shape, by_hash=True)


def _labels(
    ours: Ours, values: Floats, other: np.ndarray, theirs: Theirs, image: str, size: Pair | None
) -> Comparison:
    mine = label_map(values, other.shape, size)
    try:
        labels = compare_labels(mine, other)
    except DeepLabError:
        return _comparison(ours, theirs, image, "shape", mine.shape, other.shape, "labels")
    status: Status = "different" if labels.changed else "equal"
    shown = _grids("labels", 0, other, mine) if labels.changed else None
    return _comparison(
        ours, theirs, image, status, mine.shape, other.shape, "labels", labels=labels, picture=shown
    )


def _picture(values: Floats, other: Floats, numbers: Numbers, scores: bool) -> Picture | None:
    """Labels of scores, else the channel with the largest difference."""
    if values.ndim != 4 or values.shape[2] * values.shape[3] == 1:
        return None
    if scores:
        return _grids("labels", 0, argmax_labels(other[:1])[0], argmax_labels(values[:1])[0])
    image, channel = numbers.worst.index[:2] if numbers.worst else (0, 0)
    return _grids("values", channel, other[image, channel], values[image, channel])


def _grids(kind: str, channel: int, theirs: np.ndarray, ours: np.ndarray) -> Picture:
    if kind == "labels":
        grids = (corner_of_cells(labels.astype(np.uint8)) for labels in (theirs, ours))
        return Picture("labels", channel, *grids)
    return Picture("values", channel, corner_of_cells(theirs), corner_of_cells(ours))


def _comparison(
    ours: Ours,
    theirs: Theirs,
    image: str,
    status: Status,
    shape: Shape,
    their_shape: Shape,
    kind: Kind | None = None,
    **found: object,
) -> Comparison:
    return Comparison(
        index=ours.index,
        layer=ours.layer,
        type=ours.type,
        blob=ours.blob,
        kind=kind or ("input" if ours.index < 0 else "blob"),
        image=image,
        theirs=theirs.where,
        status=status,
        shape=list(shape),
        their_shape=list(their_shape),
        bottoms=list(ours.bottoms),
        **found,  # type: ignore[arg-type]
    )
