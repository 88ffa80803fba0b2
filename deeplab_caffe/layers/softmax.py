"""Softmax over the labels of each position."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("Softmax")
class Softmax(Layer):
    """`softmax_param { axis }`: 1, the channels, by default."""

    on_device = True
    in_place = True

    def _along(self, dims: int) -> int:
        return self.axis("axis", self.definition.param.softmax_param.axis, dims)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self._along(len(bottoms[0]))
        return [bottoms[0]]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ops.softmax(bottoms[0], self._along(bottoms[0].dim()), out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.softmax(bottoms[0], self._along(bottoms[0].dim()))]
