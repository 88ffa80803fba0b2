"""Exp: base ^ (shift + scale * x)."""

import math

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Exp")
class Exp(ElementwiseLayer):
    """`exp_param { base, scale, shift }`; base -1 (the default) is e.

    Computed as base^shift * e^(log(base) * scale * x).
    """

    on_device = True

    @override
    def setup(self) -> None:
        param = self.definition.param.exp_param
        log_base, self.factor = 1.0, 1.0
        if param.base != -1:
            log_base = ops.log(torch.tensor([self.positive("base", param.base)])).item()
        if not math.isfinite(log_base):
            raise self.error("base", f"{param.base:g} has no finite logarithm")
        self.inner = torch.tensor(log_base * param.scale)
        if param.shift != 0:
            shift = torch.tensor([param.shift])
            self.factor = (
                ops.exp(shift) if param.base == -1 else torch.tensor([param.base]).pow(param.shift)
            ).item()

    @override
    def function(self, x: Tensor) -> Tensor:
        y = ops.exp(x if self.inner == 1 else x * self.inner, threads=self.context.threads)
        return y if self.factor == 1 else y * self.factor

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.exp(bottoms[0] * self.inner.item()) * self.factor]
