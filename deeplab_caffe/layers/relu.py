"""ReLU: negative values are cut off, or made smaller."""

import torch
from torch.nn import functional

from .. import ops
from .base import Layer, register


@register("ReLU")
class ReLU(Layer):
    """`relu_param { negative_slope }`: max(x, 0) + negative_slope * min(x, 0)."""

    in_place = True

    def setup(self) -> None:
        """See Layer."""
        self.slope: float = self.definition.param.relu_param.negative_slope

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        ops.relu(bottoms[0], self.slope, out=tops[0], threads=self.context.threads)

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return [functional.leaky_relu(bottoms[0], self.slope) if self.slope else torch.relu(bottoms[0])]
