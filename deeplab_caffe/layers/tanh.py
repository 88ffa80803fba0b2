"""TanH: the hyperbolic tangent."""

import torch

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("TanH")
class TanH(ElementwiseLayer):
    """The C library's tanhf."""

    def function(self, x: torch.Tensor) -> torch.Tensor:
        """See ElementwiseLayer."""
        return ops.tanh(x, threads=self.context.threads)

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return [torch.tanh(bottoms[0])]
