"""Clip: values between two bounds; ReLU6 is the one between 0 and 6."""

from torch import Tensor
from typing_extensions import override

from .. import ops
from .abilities import Epilogue
from .base import register
from .parts.elementwise import ElementwiseLayer


@register("Clip")
class Clip(Epilogue, ElementwiseLayer):
    """`clip_param { min max }`."""

    on_device = True

    @override
    def setup(self) -> None:
        param = self.definition.param.clip_param
        for field in ("min", "max"):
            if not param.HasField(field):
                raise self.error(field, "missing")
        self.low, self.high = param.min, param.max
        if not self.low <= self.high:
            raise self.error("max", f"{self.high:g} given, at least min ({self.low:g}) wanted")

    @override
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        return [ops.epilogue.Clip(self.low, self.high)]

    @override
    def function(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [self.function(bottoms[0])]
