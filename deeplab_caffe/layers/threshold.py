"""Threshold: 1 above a value, else 0."""

from torch import Tensor
from typing_extensions import override

from ..ops.threshold import threshold
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Threshold")
class Threshold(ElementwiseLayer):
    """`threshold_param { threshold }`: 1 where x > threshold, else 0."""

    on_device = True

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        limit = self.definition.param.threshold_param.threshold
        threshold(bottoms[0], limit, out=tops[0], threads=self.context.threads)

    @override
    def function(self, x: Tensor) -> Tensor:
        return (x > self.definition.param.threshold_param.threshold).float()
