"""BNLL: the binomial normal log likelihood, log(1 + e^x)."""

import torch
from torch.nn import functional
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("BNLL")
class BNLL(ElementwiseLayer):
    """log(1 + e^x), as x + log(1 + e^-x) above 0; the exponential in float32, the rest in float64."""

    @override
    def function(self, x: torch.Tensor) -> torch.Tensor:
        small = ops.exp(-x.abs(), threads=self.context.threads).double()
        return (x.clamp(min=0).double() + (1 + small).log()).float()

    @override
    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        return [functional.softplus(bottoms[0], threshold=50)]
