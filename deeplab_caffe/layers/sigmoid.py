"""Sigmoid: 1 / (1 + e^-x)."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Sigmoid")
class Sigmoid(ElementwiseLayer):
    """The logistic function: the exponential in float32, the quotient in float64."""

    on_device = True

    @override
    def function(self, x: Tensor) -> Tensor:
        return (1 / (1 + ops.exp(-x, threads=self.context.threads).double())).float()

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.sigmoid(bottoms[0])]
