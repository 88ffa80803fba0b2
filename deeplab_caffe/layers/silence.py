"""Silence: reads blobs that nobody else wants, so that they are no outputs of the net."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Silence")
class Silence(Layer):
    """Does nothing."""

    on_device = True
    bottom_count = (1, None)
    top_count = (0, 0)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return []

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Nothing is computed."""

    @override
    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor] | None:
        return []
