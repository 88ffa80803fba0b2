"""AbsVal: |x|."""

import torch

from .base import register
from .elementwise import ElementwiseLayer


@register("AbsVal")
class AbsVal(ElementwiseLayer):
    """The absolute value."""

    def function(self, x: torch.Tensor) -> torch.Tensor:
        """See ElementwiseLayer."""
        return x.abs()
