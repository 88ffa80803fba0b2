"""BatchReindex: chosen images of a batch, in a chosen order."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("BatchReindex")
class BatchReindex(Layer):
    """Bottoms: a blob; the numbers (n) of its images that the top is made of."""

    bottom_count = (2, 2)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if not bottoms[0] or len(bottoms[1]) != 1:
            raise self.error("bottom", f"{bottoms[1]} given for the numbers, 1 dimension wanted")
        return [(*bottoms[1], *bottoms[0][1:])]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        source, numbers = bottoms
        if not ((numbers >= 0) & (numbers < len(source))).all():
            raise self.error("bottom", f"an image number out of 0 to {len(source) - 1}")
        torch.index_select(source, 0, numbers.long(), out=tops[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [bottoms[0].index_select(0, bottoms[1].long())]
