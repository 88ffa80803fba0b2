"""Measures of a segmentation: confusion matrix, IoU, class accuracy, trimap bands."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..deprecation import renamed_keywords
from ..errors import DeepLabError
from ..types import Doubles

Counts = NDArray[np.int64]


def argmax_labels(scores: NDArray) -> NDArray[np.int64]:
    """(..., labels, H, W) scores -> (..., H, W) labels; of equal scores the highest label wins (ArgMax)."""
    last = scores.shape[-3] - 1
    return last - np.flip(scores, -3).argmax(axis=-3)


@renamed_keywords(labels="num_classes")
def confusion(truth: NDArray, predicted: NDArray, num_classes: int, ignore: Iterable[int] = (255,)) -> Counts:
    """Confusion matrix (num_classes, num_classes): [t, p] counts pixels of truth t that were predicted as p.

    Pixels whose truth is in `ignore` are left out; DeepLabError for any other label outside 0..num_classes-1.
    """
    if truth.shape != predicted.shape:
        raise DeepLabError(f"truth is {truth.shape}, prediction {predicted.shape}")
    truth = np.asarray(truth).astype(np.int64).ravel()
    keep = ~np.isin(truth, list(ignore))
    truth, predicted = truth[keep], np.asarray(predicted).astype(np.int64).ravel()[keep]
    for name, values in (("truth", truth), ("prediction", predicted)):
        bad = values[(values < 0) | (values >= num_classes)]
        if bad.size:
            raise DeepLabError(
                f"unexpected label {bad[0]} in the {name}: 0..{num_classes - 1} or an ignored one wanted"
            )
    return np.bincount(truth * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, -1)


def pixel_accuracy(counts: Counts) -> float:
    """The share of pixels that are right; 0 without pixels."""
    return float(counts.trace() / counts.sum()) if counts.sum() else 0.0


def class_recall(counts: Counts) -> Doubles:
    """Per class, the share of its pixels that were found; NaN for a class without pixels."""
    sizes = counts.sum(axis=1)
    return np.where(sizes > 0, counts.diagonal() / np.maximum(sizes, 1), np.nan)


def class_iou(counts: Counts) -> Doubles:
    """Per class, intersection over union (Jaccard); NaN for a class neither in truth nor in prediction."""
    union = counts.sum(axis=1) + counts.sum(axis=0) - counts.diagonal()
    return np.where(union > 0, counts.diagonal() / np.maximum(union, 1), np.nan)


def mean_recall(counts: Counts) -> float:
    """Mean of class_recall over the classes that have pixels; 0 if none has. Added in the labels' order."""
    present = [r for r in class_recall(counts) if not np.isnan(r)]
    return float(sum(present) / len(present)) if present else 0.0


def mean_iou(counts: Counts) -> float:
    """Mean of class_iou over all classes; one without any pixel counts as 1. Added in the labels' order."""
    ious = class_iou(counts)
    return float(sum(1.0 if np.isnan(x) else x for x in ious) / len(ious))


def void_distance(truth: NDArray, limit: int, void: int = 255) -> NDArray[np.int64]:
    """(H, W): rows or columns, whichever are more, to the nearest void pixel; at most limit + 1."""
    height, width = truth.shape
    columns = np.arange(width)
    is_void = np.asarray(truth) == void
    left = np.maximum.accumulate(np.where(is_void, columns, -limit - 1), axis=1)
    right = np.minimum.accumulate(np.where(is_void, columns, width + limit)[:, ::-1], axis=1)[:, ::-1]
    in_row = np.minimum(np.minimum(columns - left, right - columns), limit + 1)
    distance = in_row.copy()
    for rows in range(1, min(limit, height - 1) + 1):
        for near, far in ((distance[rows:], in_row[:-rows]), (distance[:-rows], in_row[rows:])):
            np.minimum(near, np.maximum(far, rows), out=near)
    return distance


def trimap(truth: NDArray, width: int, void: int = 255) -> NDArray[np.bool_]:
    """(H, W) mask of the labelled pixels within `width` pixels (in x and in y) of a void pixel.

    The band of a square structuring element of 2*width+1; accuracy inside it tells how well boundaries fit.
    """
    if width < 0:
        raise DeepLabError(f"trimap width {width}: 0 or more wanted")
    return (void_distance(truth, width, void) <= width) & (np.asarray(truth) != void)
