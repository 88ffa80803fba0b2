"""Split: every top repeats the bottom."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Split")
class Split(Alias, Layer):
    """Copies; the net shares memory where it can."""

    on_device = True
    top_count = (1, None)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return [bottoms[0]] * len(self.definition.tops)

    @override
    def view_of(self, top: int) -> int | None:
        return 0

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        for top in tops:
            top.copy_(bottoms[0])
