"""TanH: the hyperbolic tangent."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("TanH")
class TanH(ElementwiseLayer):
    """The C library's tanhf."""

    @override
    def function(self, x: Tensor) -> Tensor:
        return ops.tanh(x, threads=self.context.threads)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ops.tanh(bottoms[0], threads=self.context.threads, out=tops[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.tanh(bottoms[0])]
