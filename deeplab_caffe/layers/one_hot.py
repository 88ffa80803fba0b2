"""OneHot: a channel per label, 1 where that label is among the listed ones."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("OneHot")
class OneHot(Layer):
    """`onehot_param { num_labels }`; top (num, num_labels, height, width) of zeros and ones.

    Bottom (num, channels, height, width): at each position a list of labels, -1 as filler; at least
    num_labels channels. (At a filler the original writes to the image before, or in front of the blob; here
    nothing is written.)
    """

    @override
    def setup(self) -> None:
        self.labels = self.definition.param.onehot_param.num_labels
        if self.labels < 1:
            raise self.error("num_labels", f"{self.labels} given, at least 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if len(bottoms[0]) != 4 or bottoms[0][1] < self.labels:
            raise self.error(
                "num_labels", f"{self.labels} given, at most the channels of {bottoms[0]} wanted"
            )
        return [(bottoms[0][0], self.labels, *bottoms[0][2:])]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        labels = bottoms[0].trunc()
        if not ((labels >= -1) & (labels < self.labels)).all():
            raise self.error("bottom", f"a label out of -1 to {self.labels - 1}")
        # One channel more than wanted, which takes what the fillers mark.
        marked = torch.zeros(len(labels), self.labels + 1, *labels.shape[2:])
        marked.scatter_(1, labels.long() % (self.labels + 1), 1.0)
        tops[0].copy_(marked[:, : self.labels])
