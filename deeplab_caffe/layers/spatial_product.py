"""SpatialProduct: every channel times the one channel of a second blob."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("SpatialProduct")
class SpatialProduct(Layer):
    """Bottoms: (num, channels, height, width) and (num, 1, height, width)."""

    on_device = True
    bottom_count = (2, 2)
    in_place = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if len(bottoms[0]) != 4 or bottoms[1] != (bottoms[0][0], 1, *bottoms[0][2:]):
            raise self.error("bottom", f"{bottoms[1]} does not fit {bottoms[0]}, one channel wanted")
        return [bottoms[0]]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        torch.mul(bottoms[0], bottoms[1], out=tops[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [bottoms[0] * bottoms[1]]
