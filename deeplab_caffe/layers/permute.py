"""Permute: the axes of a blob in another order, of SSD's fork."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Permute")
class Permute(Layer):
    """`permute_param { order: 0 order: 2 ... }`: axes of the bottom; those not named follow in order."""

    on_device = True

    @override
    def setup(self) -> None:
        self.given = list(self.definition.param.permute_param.order)
        if len(set(self.given)) != len(self.given):
            raise self.error("order", f"{self.given} names an axis twice")

    def order(self, dims: int) -> list[int]:
        """All axes of a bottom with so many, in the top's order."""
        if any(axis >= dims for axis in self.given):
            raise self.error("order", f"{self.given} given, the bottom has {dims} axes")
        return self.given + [axis for axis in range(dims) if axis not in self.given]

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return [tuple(bottoms[0][axis] for axis in self.order(len(bottoms[0])))]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(bottoms[0].permute(self.order(bottoms[0].dim())))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [bottoms[0].permute(self.order(bottoms[0].dim()))]
