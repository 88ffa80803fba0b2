"""HardSigmoid and HardSwish: the piecewise linear gates of MobileNet v3 (Howard et al., ICCV 2019)."""

import torch
from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.elementwise import ElementwiseLayer


@register("HardSigmoid")
class HardSigmoid(ElementwiseLayer):
    """x + 3 between 0 and 6, over 6. This project's own layer type."""

    on_device = True

    @override
    def function(self, x: Tensor) -> Tensor:
        return (x + 3).clamp(0, 6).div_(_six(x))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [self.function(bottoms[0])]


@register("HardSwish")
class HardSwish(HardSigmoid):
    """x times (x + 3 between 0 and 6), over 6. This project's own layer type."""

    @override
    def function(self, x: Tensor) -> Tensor:
        return (x + 3).clamp(0, 6).mul(x).div_(_six(x))


def _six(x: Tensor) -> Tensor:
    """6 on the device of `x`: by a plain number torch's GPU kernels multiply with the rounded reciprocal."""
    return torch.full((), 6.0, dtype=x.dtype, device=x.device)
