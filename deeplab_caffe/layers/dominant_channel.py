"""DominantChannel: the channels that are largest at the most positions."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("DominantChannel")
class DominantChannel(Layer):
    """`dominant_channel_param { top_k }`; top (num, top_k, 1, 1): channel numbers, the dominant one first.

    Channels are ordered by how often they are the largest, then the second largest, and so on to top_k. The
    original leaves the order of equal ones open; here the lower number comes first.
    """

    @override
    def setup(self) -> None:
        self.top_k = self.definition.param.dominant_channel_param.top_k
        if self.top_k < 1:
            raise self.error("top_k", f"{self.top_k} given, at least 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if len(bottoms[0]) != 4 or self.top_k >= bottoms[0][1]:
            raise self.error("top_k", f"{self.top_k} given, fewer than the channels of {bottoms[0]} wanted")
        return [(bottoms[0][0], self.top_k, 1, 1)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        for scores, top in zip(bottoms[0].flatten(2), tops[0], strict=True):
            channels = len(scores)
            ranks = scores.sort(dim=0, descending=True, stable=True).indices[: self.top_k]
            counts = [torch.bincount(rank, minlength=channels).tolist() for rank in ranks]
            order = sorted(range(channels), key=lambda c: [-count[c] for count in counts])
            top.copy_(torch.tensor(order[: self.top_k]).view_as(top))
