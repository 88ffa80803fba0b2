"""Log: the logarithm of shift + scale * x to a base."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Log")
class Log(ElementwiseLayer):
    """`log_param { base, scale, shift }`; base -1 (the default) is e.

    Computed as log(scale * x + shift) * (1 / log(base)).
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.log_param
        self.factor = torch.ones(())
        if self.param.base != -1:
            base = torch.tensor([self.positive("base", self.param.base)])
            if base.item() == 1:
                raise self.error("base", "1 given")
            self.factor = 1 / ops.log(base)[0]

    @override
    def function(self, x: Tensor) -> Tensor:
        y = x if self.param.scale == 1 else x * self.param.scale
        y = y if self.param.shift == 0 else y + self.param.shift
        y = ops.log(y, threads=self.context.threads)
        return y if self.factor == 1 else y * self.factor

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.log(bottoms[0] * self.param.scale + self.param.shift) * self.factor.item()]
