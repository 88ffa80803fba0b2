"""Concat: bottoms one after the other along an axis."""

from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Concat")
class Concat(Alias, Layer):
    """`concat_param { axis }`, or `concat_dim` in older files; default 1, the channels."""

    on_device = True
    bottom_count = (1, None)

    @override
    def setup(self) -> None:
        param = self.definition.param.concat_param
        self.field = "concat_dim" if param.HasField("concat_dim") else "axis"
        self.number = getattr(param, self.field)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        axis = self.axis(self.field, self.number, len(bottoms[0]))
        rest = [shape[:axis] + shape[axis + 1 :] for shape in bottoms]
        for shape, other in zip(bottoms, rest, strict=True):
            if other != rest[0] or len(shape) != len(bottoms[0]):
                raise self.error("bottom", f"{shape} does not fit {bottoms[0]} except along axis {axis}")
        size = sum(shape[axis] for shape in bottoms)
        return [(*bottoms[0][:axis], size, *bottoms[0][axis + 1 :])]

    @override
    def appends(self, bottoms: list[Shape]) -> bool:
        return prod(bottoms[0][: self.axis(self.field, self.number, len(bottoms[0]))]) == 1

    @override
    def view_of(self, top: int) -> int | None:
        return 0 if len(self.definition.bottoms) == 1 else None

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        sizes = [bottom.shape[self.number] for bottom in bottoms]
        for bottom, part in zip(bottoms, tops[0].split(sizes, self.number), strict=True):
            if bottom.data_ptr() != part.data_ptr():
                part.copy_(bottom)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.cat(bottoms, self.number)]
