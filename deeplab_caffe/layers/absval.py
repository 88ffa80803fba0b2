"""AbsVal: |x|."""

import torch

from .base import register
from .parts.elementwise import ElementwiseLayer


@register("AbsVal")
class AbsVal(ElementwiseLayer):
    """The absolute value."""

    on_device = True

    def function(self, x: torch.Tensor) -> torch.Tensor:
        """See ElementwiseLayer."""
        return x.abs()

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return [bottoms[0].abs()]
