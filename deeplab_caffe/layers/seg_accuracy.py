"""SegAccuracy: pixel accuracy, mean class recall and mean IoU of a score map."""

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..evaluation import metrics
from ..types import Shape
from .base import Layer, register


@register("SegAccuracy")
class SegAccuracy(Layer):
    """Bottoms: scores (N, C, H, W), labels (N, 1, H, W). Top (1, 1, 1, 3): the three numbers.

    v2 with `reset: false` counts on from batch to batch; v1 always starts anew. Any label outside 0..C-1 that
    `ignore_label` does not name is an error.
    """

    bottom_count = (2, 2)

    @override
    def setup(self) -> None:
        """Reads the fields."""
        param = self.definition.param.seg_accuracy_param
        self.ignore = set(param.ignore_label)
        self.reset = self.definition.dialect.accuracy_of_batch or param.reset
        self.counts: metrics.Counts | None = None

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Always (1, 1, 1, 3)."""
        scores, labels = bottoms
        if len(scores) != 4 or len(labels) != 4 or labels != (scores[0], 1, *scores[2:]):
            raise self.error("bottom", f"scores {scores} and labels {labels} do not fit")
        return [(1, 1, 1, 3)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Counts the batch and tells the measures so far."""
        scores, labels = (b.cpu().numpy() for b in bottoms)
        try:
            counts = metrics.confusion(
                labels[:, 0], metrics.argmax_labels(scores), scores.shape[1], self.ignore
            )
        except DeepLabError as error:
            raise self.error("bottom", str(error)) from None
        self.counts = counts if self.reset or self.counts is None else self.counts + counts
        measures = (metrics.pixel_accuracy, metrics.mean_recall, metrics.mean_iou)
        values = np.array([measure(self.counts) for measure in measures], np.float32)
        tops[0].copy_(torch.from_numpy(values).reshape(1, 1, 1, 3))
