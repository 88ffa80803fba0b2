"""Flatten: several axes of a blob become one."""

from math import prod

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Flatten")
class Flatten(Alias, Layer):
    """`flatten_param { axis, end_axis }`, default all axes but the first; v1 keeps four dimensions."""

    on_device = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        shape = bottoms[0]
        if self.definition.dialect.four_axes:
            return [(shape[0], prod(shape[1:]), 1, 1)]
        param = self.definition.param.flatten_param
        start = self.axis("axis", param.axis, len(shape))
        end = self.axis("end_axis", param.end_axis, len(shape))
        if end < start:
            raise self.error("end_axis", f"{end} lies before axis {start}")
        return [(*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])]

    @override
    def view_of(self, top: int) -> int | None:
        return 0

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].view(-1).copy_(bottoms[0].view(-1))
