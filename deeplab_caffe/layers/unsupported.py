"""Layer types that are known and refused, each with the reason."""

from torch import Tensor
from typing_extensions import override

from .base import Layer, register

REASONS = {
    "Filter": "the size of its tops depends on the data, which is not supported",
}


@register(*REASONS)
class Unsupported(Layer):
    """An error when the net is built, unless the caller feeds its tops (the argument `inputs` of Net)."""

    bottom_count = (0, None)
    top_count = (0, None)

    @override
    def setup(self) -> None:
        raise self.error("type", REASONS[self.definition.type])

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Never called."""
