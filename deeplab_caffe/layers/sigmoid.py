"""Sigmoid: 1 / (1 + e^-x)."""

import torch
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Sigmoid")
class Sigmoid(ElementwiseLayer):
    """The logistic function: the exponential in float32, the quotient in float64."""

    on_device = True

    @override
    def function(self, x: torch.Tensor) -> torch.Tensor:
        return (1 / (1 + ops.exp(-x, threads=self.context.threads).double())).float()

    @override
    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        return [torch.sigmoid(bottoms[0])]
