"""Silence: reads blobs that nobody else wants, so that they are no outputs of the net."""

import torch

from ..types import Shape
from .base import Layer, register


@register("Silence")
class Silence(Layer):
    """Does nothing."""

    on_device = True
    bottom_count = (1, None)
    top_count = (0, 0)

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        return []

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return []
