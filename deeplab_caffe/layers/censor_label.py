"""CensorLabel: labels of a map that are not in a list become the ignored label."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("CensorLabel")
class CensorLabel(Layer):
    """`censor_label_param { ignore_label }`.

    Bottoms: labels (num, 1, height, width); those allowed in each image (num, n, 1, 1), -1 as filler.
    """

    bottom_count = (2, 2)
    in_place = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        labels, lists = bottoms
        if len(labels) != 4 or labels[1] != 1:
            raise self.error("bottom", f"{labels} given, 4 dimensions with one channel wanted")
        if len(lists) != 4 or lists[0] != labels[0] or lists[2:] != (1, 1):
            raise self.error("bottom", f"lists {lists} do not fit labels {labels}")
        return [labels]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ignored = torch.tensor(float(self.definition.param.censor_label_param.ignore_label))
        for labels, listed, top in zip(*bottoms, tops[0], strict=True):
            allowed = torch.isin(labels, listed[listed != -1])
            top.copy_(torch.where(allowed, labels, ignored))
