"""Crop: the first bottom cut to the size of the second."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register, shapes_of


@register("Crop")
class Crop(Layer):
    """`crop_param { axis, offset }`: from `axis` on; one offset for all those axes or one for each."""

    on_device = True
    bottom_count = (2, 2)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return [self._size_and_offsets(bottoms)[0]]

    def _size_and_offsets(self, bottoms: list[Shape]) -> tuple[Shape, list[int]]:
        source, wanted = bottoms
        param = self.definition.param.crop_param
        axis = self.axis("axis", param.axis, len(source))
        if len(wanted) != len(source):
            raise self.error("bottom", f"{source} and {wanted} differ in their number of dimensions")
        offsets = list(param.offset)
        count = len(source) - axis
        if len(offsets) not in (0, 1, count):
            raise self.error("offset", f"{len(offsets)} given, 1 or {count} wanted")
        if len(offsets) < 2:
            offsets = (offsets or [0]) * count
        offsets = [0] * axis + offsets
        shape = source[:axis] + wanted[axis:]
        for i, (offset, size) in enumerate(zip(offsets, shape, strict=True)):
            if offset + size > source[i]:
                raise self.error("offset", f"axis {i}: {offset} + {size} is more than {source[i]}")
        return shape, offsets

    def _cut(self, bottoms: list[Tensor]) -> Tensor:
        cut = bottoms[0]
        for i, (size, offset) in enumerate(zip(*self._size_and_offsets(shapes_of(bottoms)), strict=True)):
            cut = cut.narrow(i, offset, size)
        return cut

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self._cut(bottoms))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [self._cut(bottoms)]
