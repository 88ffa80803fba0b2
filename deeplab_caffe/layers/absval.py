"""AbsVal: |x|."""

from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.elementwise import ElementwiseLayer


@register("AbsVal")
class AbsVal(ElementwiseLayer):
    """The absolute value."""

    on_device = True

    @override
    def function(self, x: Tensor) -> Tensor:
        return x.abs()

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [bottoms[0].abs()]
