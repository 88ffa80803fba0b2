"""AbsVal: |x|."""

import torch
from typing_extensions import override

from .base import register
from .parts.elementwise import ElementwiseLayer


@register("AbsVal")
class AbsVal(ElementwiseLayer):
    """The absolute value."""

    on_device = True

    @override
    def function(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()

    @override
    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        return [bottoms[0].abs()]
