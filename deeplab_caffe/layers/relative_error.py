"""RelativeError: the distance of two blobs relative to the second one's length."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("RelativeError")
class RelativeError(Layer):
    """sqrt(mean((a - b)^2) / max(mean(b^2), 1e-6)), the means in float64."""

    bottom_count = (2, 2)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if bottoms[0] != bottoms[1]:
            raise self.error("bottom", f"{bottoms[0]} and {bottoms[1]} differ")
        return [(1, 1, 1, 1)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        difference, length = ((x).double().square().mean() for x in (bottoms[0] - bottoms[1], bottoms[1]))
        tops[0].fill_((difference / length.clamp(min=1e-6)).sqrt().item())
