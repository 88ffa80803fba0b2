"""BNLL: the binomial normal log likelihood, log(1 + e^x)."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("BNLL")
class BNLL(ElementwiseLayer):
    """log(1 + e^x), as x + log(1 + e^-x) above 0; the exponential in float32, the rest in float64."""

    @override
    def function(self, x: Tensor) -> Tensor:
        small = ops.exp(-x.abs(), threads=self.context.threads).double()
        return (x.clamp(min=0).double() + (1 + small).log()).float()

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [functional.softplus(bottoms[0], threshold=50)]
