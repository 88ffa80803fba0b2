"""Bias: a shift per channel."""

from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register, shapes_of
from .scale import operand_place


@register("Bias")
class Bias(Layer):
    """`bias_param { axis, num_axes }`: as the factor of Scale, but added."""

    on_device = True
    bottom_count = (1, 2)
    in_place = True

    def _place(self, bottoms: list[Shape]) -> tuple[int, Shape]:
        param = self.definition.param.bias_param
        return operand_place(self, bottoms, param.axis, param.num_axes)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self._place(bottoms)
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [] if len(bottoms) > 1 else [self._place(bottoms)[1]]

    @override
    def fillers(self) -> list[object]:
        return [self.definition.param.bias_param.filler]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        bias = bottoms[1] if len(bottoms) > 1 else self.blobs[0].values()
        along, _ = self._place(shapes_of(bottoms))
        ops.scale(bottoms[0], None, bias, along, out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x, bias = bottoms[0], bottoms[1] if len(bottoms) > 1 else blobs[0]
        along, shape = self._place(shapes_of(bottoms))
        return [x + bias.to(x.dtype).view(*shape, *[1] * (x.dim() - along - len(shape)))]
