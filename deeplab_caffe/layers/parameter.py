"""Parameter: a blob of the net that is learned."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Parameter")
class Parameter(Layer):
    """`parameter_param { shape }`: the top is the layer's only parameter, which starts as 0."""

    on_device = True
    bottom_count = (0, 0)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return [tuple(self.definition.param.parameter_param.shape.dim)]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return self.shape(bottoms)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.blobs[0].values())

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [blobs[0].clone()]
