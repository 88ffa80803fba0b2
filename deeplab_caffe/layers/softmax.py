"""Softmax over the labels of each position."""

import torch

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

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        self._along(len(bottoms[0]))
        return [bottoms[0]]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        ops.softmax(bottoms[0], self._along(bottoms[0].dim()), out=tops[0], threads=self.context.threads)

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return [torch.softmax(bottoms[0], self._along(bottoms[0].dim()))]
