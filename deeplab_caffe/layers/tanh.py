"""TanH: the hyperbolic tangent."""

import torch
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("TanH")
class TanH(ElementwiseLayer):
    """The C library's tanhf."""

    @override
    def function(self, x: torch.Tensor) -> torch.Tensor:
        return ops.tanh(x, threads=self.context.threads)

    @override
    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        return [torch.tanh(bottoms[0])]
