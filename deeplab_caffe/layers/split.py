"""Split: every top repeats the bottom."""

import torch

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Split")
class Split(Alias, Layer):
    """Copies; the net shares memory where it can."""

    on_device = True
    top_count = (1, None)

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        return [bottoms[0]] * len(self.definition.tops)

    def view_of(self, top: int) -> int | None:
        """See Alias."""
        return 0

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        for top in tops:
            top.copy_(bottoms[0])
