"""Labels that differ: between two label maps, or between what two score maps say."""

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..evaluation.metrics import argmax_labels, class_iou, confusion
from ..types import Floats
from .results import LabelChange, LabelComparison

_MOST_CHANGES = 10
_MOST_LABELS = 256


def holds_scores(shape: tuple[int, ...]) -> bool:
    """Whether a blob of this shape may be a map of class scores: (N, labels, H, W), more than one pixel."""
    return len(shape) == 4 and 2 <= shape[1] <= _MOST_LABELS and shape[2] * shape[3] > 1


def compare_scores(ours: Floats, theirs: Floats) -> LabelComparison:
    """The labels of two score maps (N, labels, H, W), and their scores' margin where labels differ."""
    mine, other = argmax_labels(ours), argmax_labels(theirs)
    return _compare(mine, other, theirs)


def compare_labels(ours: NDArray, theirs: NDArray) -> LabelComparison:
    """Two label maps (H, W) of whole numbers. DeepLabError: of different sizes."""
    if ours.shape != theirs.shape:
        raise DeepLabError(f"labels: ours {ours.shape}, theirs {theirs.shape}")
    return _compare(ours[None].astype(np.int64), theirs[None].astype(np.int64), None)


def _compare(ours: NDArray, theirs: NDArray, scores: Floats | None) -> LabelComparison:
    """Label maps (N, H, W); scores: theirs (N, labels, H, W)."""
    where = np.nonzero(ours != theirs)
    highest = int(max(ours.max(initial=0), theirs.max(initial=0)))
    counts = confusion(theirs, ours, highest + 1, ignore=())
    iou = {str(label): float(value) for label, value in enumerate(class_iou(counts)) if not np.isnan(value)}
    margins = None
    if scores is not None and len(where[0]):
        image, row, column = where
        margins = scores[image, theirs[where], row, column] - scores[image, ours[where], row, column]
    order = np.arange(len(where[0])) if margins is None else np.argsort(-margins, kind="stable")
    changes = [
        LabelChange(
            image=int(where[0][i]),
            row=int(where[1][i]),
            column=int(where[2][i]),
            ours=int(ours[where][i]),
            theirs=int(theirs[where][i]),
            margin=None if margins is None else float(margins[i]),
        )
        for i in order[:_MOST_CHANGES]
    ]
    return LabelComparison(
        pixels=int(ours.size),
        changed=len(where[0]),
        mean_iou=float(np.mean(list(iou.values()))) if iou else 1.0,
        iou=iou,
        largest_margin=None if margins is None else float(margins.max()),
        median_margin=None if margins is None else float(np.median(margins)),
        changes=changes,
    )
