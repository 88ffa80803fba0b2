"""ReLU: negative values are cut off, or made smaller."""

import torch
from torch.nn import functional

from .. import ops
from .abilities import Epilogue
from .base import Layer, register


@register("ReLU")
class ReLU(Epilogue, Layer):
    """`relu_param { negative_slope }`: max(x, 0) + negative_slope * min(x, 0)."""

    on_device = True
    in_place = True

    def setup(self) -> None:
        """See Layer."""
        self.slope: float = self.definition.param.relu_param.negative_slope

    def epilogue(self, bottom: int, others: list[torch.Tensor]) -> list[ops.EpilogueOp]:
        """See Epilogue."""
        return [ops.epilogue.ReLU(self.slope)]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        ops.relu(bottoms[0], self.slope, out=tops[0], threads=self.context.threads)

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return [functional.leaky_relu(bottoms[0], self.slope) if self.slope else torch.relu(bottoms[0])]

    def rectify_(self, x: torch.Tensor) -> torch.Tensor:
        """`formula` in place, for a layer that does this one's work, too, and needs `x` no more."""
        return functional.leaky_relu_(x, self.slope) if self.slope else x.relu_()
