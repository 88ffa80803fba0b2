"""Swish: each value times the logistic function of it."""

import torch
from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Swish")
class Swish(ElementwiseLayer):
    """`swish_param { beta }`: x / (1 + e^(-beta x)), the logistic function as (tanh(beta x / 2) + 1) / 2.

    Ramachandran et al., "Searching for activation functions" (2017).
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.beta: float = self.definition.param.swish_param.beta

    @override
    def function(self, x: Tensor) -> Tensor:
        logistic = torch.tanh((x * self.beta).double() * 0.5) * 0.5 + 0.5
        return x * logistic.float()

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [bottoms[0] * torch.sigmoid(self.beta * bottoms[0])]
