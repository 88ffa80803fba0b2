"""Measures of label maps against ground truth over a list of images: counts and table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deprecation import renamed_attribute, renamed_keywords
from ..errors import DeepLabError
from . import metrics

WIDTHS = (1, 2, 3, 5, 8, 12, 20, 40)  # pixels, of the trimap bands


@dataclass(frozen=True)
class Band:
    """Accuracy within `width` pixels of a void pixel; `pixels`: how many labelled ones lie there.

    Where there are none, accuracy and IoU are None.
    """

    width: int
    pixels: int
    pixel_accuracy: float | None
    mean_iou: float | None


class Evaluation:
    """Confusion counts of all images added so far, over the whole image and in trimap bands.

    num_classes: how many labels there are. widths: of the bands, in pixels; see metrics.trimap. Pixels whose
    truth is 255 (void) are left out.
    """

    labels = renamed_attribute("num_classes")

    @renamed_keywords(labels="num_classes")
    def __init__(self, num_classes: int, widths: Sequence[int] = WIDTHS) -> None:
        if not 0 < num_classes <= 255:
            raise DeepLabError(f"{num_classes} labels given, 1 to 255 wanted")
        if any(not 0 < width <= 1000 for width in widths):
            raise DeepLabError(f"trimap widths {', '.join(map(str, widths))}: 1 to 1000 wanted")
        self.num_classes, self.widths, self.images = num_classes, sorted(set(widths)), 0
        self.counts = np.zeros((num_classes, num_classes), np.int64)
        self._band_counts = np.zeros((len(self.widths), num_classes, num_classes), np.int64)

    def add(self, truth: NDArray, predicted: NDArray) -> None:
        """Counts one image: label maps (H, W); DeepLabError if they do not fit."""
        self.counts += metrics.confusion(truth, predicted, self.num_classes)
        self.images += 1
        if not self.widths:
            return
        distance = metrics.void_distance(truth, self.widths[-1])
        for counts, width in zip(self._band_counts, self.widths, strict=True):
            inside = distance <= width
            counts += metrics.confusion(truth[inside], predicted[inside], self.num_classes)

    def packed(self) -> list[Any]:
        """All counts, small, for JSON and `merge`: of a few images most are 0."""
        counts = np.concatenate([self.counts[None], self._band_counts]).ravel()
        places = np.flatnonzero(counts)
        return [self.images, places.tolist(), counts[places].tolist()]

    def merge(self, packed: Sequence[Any]) -> None:
        """Adds what `packed` gave of another evaluation with as many labels and the same widths."""
        images, places, values = packed
        counts = np.zeros((1 + len(self.widths), self.num_classes, self.num_classes), np.int64)
        counts.ravel()[places] = values
        self.counts += counts[0]
        self._band_counts += counts[1:]
        self.images += images

    @property
    def bands(self) -> list[Band]:
        """The measures in each band, the narrowest first."""
        return [
            Band(width, int(counts.sum()), metrics.pixel_accuracy(counts), metrics.mean_iou(counts))
            if counts.any()
            else Band(width, 0, None, None)
            for width, counts in zip(self.widths, self._band_counts, strict=True)
        ]

    def report(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """All measures, as JSON has them; NaN becomes null. names: of the classes."""
        recall, iou = metrics.class_recall(self.counts), metrics.class_iou(self.counts)
        return {
            "images": self.images,
            "pixels": int(self.counts.sum()),
            "mean_iou": metrics.mean_iou(self.counts),
            "pixel_accuracy": metrics.pixel_accuracy(self.counts),
            "mean_class_accuracy": metrics.mean_recall(self.counts),
            "classes": [
                {
                    "label": label,
                    "name": names[label] if label < len(names) else str(label),
                    "iou": _number(iou[label]),
                    "accuracy": _number(recall[label]),
                    "pixels": int(self.counts[label].sum()),
                }
                for label in range(self.num_classes)
            ],
            "trimap": [vars(band) for band in self.bands],
            "confusion": self.counts.tolist(),
        }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
