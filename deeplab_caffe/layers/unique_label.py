"""UniqueLabel: the labels that occur in a label map."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("UniqueLabel")
class UniqueLabel(Layer):
    """`unique_label_param { max_labels, ignore_label, force_label }`.

    Bottom: labels (num, 1, height, width). Top (num, max_labels, 1, 1): those of each image in rising order
    without the ignored ones and with the forced ones, then -1.
    """

    @override
    def setup(self) -> None:
        self.param = self.definition.param.unique_label_param
        self.forced = set(self.param.force_label)
        if self.param.max_labels < max(1, len(self.forced)):
            raise self.error("max_labels", f"{self.param.max_labels} given, too few")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if len(bottoms[0]) != 4 or bottoms[0][1] != 1:
            raise self.error("bottom", f"{bottoms[0]} given, 4 dimensions with one channel wanted")
        return [(bottoms[0][0], self.param.max_labels, 1, 1)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].fill_(-1)
        for labels, top in zip(bottoms[0], tops[0], strict=True):
            found = set(labels.unique().tolist()) - set(self.param.ignore_label) | self.forced
            if len(found) > self.param.max_labels:
                raise self.error("max_labels", f"{len(found)} labels found, {self.param.max_labels} allowed")
            top.view(-1)[: len(found)] = torch.tensor(sorted(found))
