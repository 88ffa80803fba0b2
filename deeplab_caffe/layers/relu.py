"""ReLU: negative values are cut off, or made smaller."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from .abilities import Epilogue
from .base import Layer, register


@register("ReLU")
class ReLU(Epilogue, Layer):
    """`relu_param { negative_slope }`: max(x, 0) + negative_slope * min(x, 0)."""

    on_device = True
    in_place = True

    @override
    def setup(self) -> None:
        self.slope: float = self.definition.param.relu_param.negative_slope

    @override
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        return [ops.epilogue.ReLU(self.slope)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ops.relu(bottoms[0], self.slope, out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [functional.leaky_relu(bottoms[0], self.slope) if self.slope else torch.relu(bottoms[0])]

    def rectify_(self, x: Tensor) -> Tensor:
        """`formula` in place, for a layer that does this one's work, too, and needs `x` no more."""
        return functional.leaky_relu_(x, self.slope) if self.slope else x.relu_()
