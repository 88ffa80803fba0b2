"""Accuracy: the share of labels among the top_k scores."""

import math

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Accuracy")
class Accuracy(Layer):
    """Bottoms: scores (.., C, ..) with the classes along `axis`, labels of the other dimensions' size.

    Top: the accuracy, a scalar (v1: (1, 1, 1, 1)); a second top holds the accuracy of each class (C,).
    Of equal scores the higher label ranks first.
    """

    bottom_count = (2, 2)
    top_count = (1, 2)

    @override
    def setup(self) -> None:
        """Reads the fields."""
        self.param = self.definition.param.accuracy_param
        self.at_least("accuracy_param.top_k", self.param.top_k, 1)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of the accuracy and of the accuracies by class."""
        scores, labels = bottoms
        axis = self._axis(len(scores))
        if self.param.top_k > scores[axis]:
            raise self.error("accuracy_param.top_k", f"{self.param.top_k} of {scores[axis]} classes")
        if math.prod(labels) * scores[axis] != math.prod(scores):
            raise self.error("bottom", f"scores {scores} and labels {labels} do not fit")
        total = self.definition.dialect.top_shape()
        return [total, (scores[axis],)][: len(self.definition.tops)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Ranks each label among its scores."""
        axis = self._axis(bottoms[0].dim())
        classes = bottoms[0].shape[axis]
        scores = bottoms[0].movedim(axis, -1).reshape(-1, classes)
        labels = bottoms[1].reshape(-1).long()
        if self.param.HasField("ignore_label"):
            keep = labels != self.param.ignore_label
            scores, labels = scores[keep], labels[keep]
        bad = labels[(labels < 0) | (labels >= classes)]
        if bad.numel():
            raise self.error("bottom", f"unexpected label {bad[0].item()}: 0..{classes - 1} wanted")
        own = scores.gather(1, labels[:, None])
        higher = torch.arange(classes, device=scores.device) > labels[:, None]
        rank = ((scores > own) | ((scores == own) & higher)).sum(1)
        right = rank < self.param.top_k
        tops[0].fill_(right.sum().item() / max(1, labels.numel()))
        if len(tops) == 2:
            counts = torch.bincount(labels, minlength=classes).clamp(min=1)
            tops[1].copy_(torch.bincount(labels[right], minlength=classes) / counts)

    def _axis(self, dimensions: int) -> int:
        axis = self.param.axis
        if not -dimensions <= axis < dimensions:
            raise self.error("accuracy_param.axis", f"{axis} given, the scores have {dimensions} dimensions")
        return axis % dimensions
