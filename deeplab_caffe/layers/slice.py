"""Slice: a bottom cut along an axis."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Slice")
class Slice(Alias, Layer):
    """`slice_param { axis, slice_point }` (`slice_dim` in older files); without points, equal parts.

    The last part may be empty.
    """

    on_device = True
    may_be_empty = True
    top_count = (1, None)

    @override
    def setup(self) -> None:
        param = self.definition.param.slice_param
        self.field = "slice_dim" if param.HasField("slice_dim") else "axis"
        self.number = getattr(param, self.field)
        self.points = list(param.slice_point)
        tops = len(self.definition.tops)
        if self.points and len(self.points) != tops - 1:
            raise self.error("slice_point", f"{len(self.points)} points given for {tops} tops")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        axis = self.axis(self.field, self.number, len(bottoms[0]))
        size, tops = bottoms[0][axis], len(self.definition.tops)
        if not self.points and size % tops:
            raise self.error("top", f"{size} along axis {axis} cannot be cut into {tops} equal parts")
        ends = [*self.points, size] if self.points else [size // tops * (i + 1) for i in range(tops)]
        sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        if min(*sizes[:-1], 1) <= 0 or sizes[-1] < 0:
            raise self.error("slice_point", f"{self.points} must rise, between 0 and {size}")
        return [(*bottoms[0][:axis], part, *bottoms[0][axis + 1 :]) for part in sizes]

    @override
    def view_of(self, top: int) -> int | None:
        return 0 if len(self.definition.tops) == 1 else None

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        parts = bottoms[0].split([top.shape[self.number] for top in tops], self.number)
        for top, part in zip(tops, parts, strict=True):
            top.copy_(part)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        sizes = [shape[self.number] for shape in self.shape([tuple(bottoms[0].shape)])]
        return list(bottoms[0].split(sizes, self.number))
