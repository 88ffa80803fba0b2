"""Power: (shift + scale * x) ^ power."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Power")
class Power(ElementwiseLayer):
    """`power_param { power, scale, shift }`; each step is left out where it changes nothing."""

    @override
    def setup(self) -> None:
        param = self.definition.param.power_param
        self.on_device = param.power == 1 and param.scale != 0  # else powf, which only the host has

    @override
    def function(self, x: Tensor) -> Tensor:
        param = self.definition.param.power_param
        power, scale, shift = param.power, param.scale, param.shift
        if power == 0 or scale == 0:
            value = torch.ones(1) if power == 0 else ops.power(torch.tensor([shift]), power)
            return value.expand(x.shape)
        y = x if scale == 1 else x * scale
        y = y if shift == 0 else y + shift
        return y if power == 1 else ops.power(y, power, threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        param = self.definition.param.power_param
        if param.power == 1:
            return [bottoms[0] * param.scale + param.shift]
        return [(bottoms[0] * param.scale + param.shift) ** param.power]
