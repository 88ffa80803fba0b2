"""Reshape: the same values under another shape."""

from math import prod

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Reshape")
class Reshape(Alias, Layer):
    """`reshape_param { shape { dim } axis num_axes }`: 0 keeps an axis, one -1 takes what is left."""

    on_device = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        shape, param = bottoms[0], self.definition.param.reshape_param
        # Unlike other axes, this one may point behind the last, to add axes there.
        start = param.axis if param.axis >= 0 else len(shape) + param.axis + 1
        end = len(shape) if param.num_axes == -1 else start + param.num_axes
        if not 0 <= start <= end <= len(shape):
            raise self.error("axis", f"axes {start} to {end} given, the blob has {len(shape)}")
        wanted = list(param.shape.dim)
        for i, size in enumerate(wanted):
            if size == 0:
                if start + i >= len(shape):
                    raise self.error("shape", f"dim {i} is 0, but the blob has no axis {start + i} to copy")
                wanted[i] = shape[start + i]
            elif size < -1:
                raise self.error("shape", f"dim {i} is {size}")
        known, count = prod(size for size in wanted if size != -1), prod(shape[start:end])
        if wanted.count(-1) > 1:
            raise self.error("shape", "only one dim may be -1")
        if -1 in wanted and count % known == 0:
            wanted[wanted.index(-1)] = count // known
        if prod(wanted) != count:
            raise self.error("shape", f"{count} values do not fit {tuple(param.shape.dim)}")
        return [(*shape[:start], *wanted, *shape[end:])]

    @override
    def view_of(self, top: int) -> int | None:
        return 0

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].view(-1).copy_(bottoms[0].view(-1))
