"""IgnoreOverlay: puts the ignored positions of one label map over another."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("IgnoreOverlay")
class IgnoreOverlay(Layer):
    """`ignore_overlay_param { ignore_label }`; the second bottom, but ignore_label where the first is that.

    Bottoms: two maps of one shape. A value of the first counts without its fraction.
    """

    bottom_count = (2, 2)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if bottoms[0] != bottoms[1]:
            raise self.error("bottom", f"{bottoms[0]} and {bottoms[1]} differ")
        return [bottoms[0]]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        label = torch.tensor(float(self.definition.param.ignore_overlay_param.ignore_label))
        torch.where(bottoms[0].trunc() == label, label, bottoms[1], out=tops[0])
