"""ELU: exponential linear unit."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("ELU")
class ELU(ElementwiseLayer):
    """`elu_param { alpha }`: x above 0, alpha * (e^x - 1) below."""

    on_device = True

    @override
    def function(self, x: Tensor) -> Tensor:
        grown = ops.exp(x.clamp(max=0), threads=self.context.threads) - 1
        return x.clamp(min=0) + self.definition.param.elu_param.alpha * grown

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [functional.elu(bottoms[0], self.definition.param.elu_param.alpha)]
