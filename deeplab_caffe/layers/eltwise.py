"""Eltwise: blobs of one shape combined element by element."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .abilities import Epilogue
from .base import Layer, register


@register("Eltwise")
class Eltwise(Epilogue, Layer):
    """`eltwise_param { operation: PROD|SUM|MAX, coeff }`: coefficients (default 1) for SUM only."""

    on_device = True
    bottom_count = (2, None)
    in_place = True

    @override
    def setup(self) -> None:
        param, count = self.definition.param.eltwise_param, len(self.definition.bottoms)
        self.operation = ops.ELTWISE_OPERATIONS[param.operation]
        self.coefficients = list(param.coeff) or [1.0] * count
        if len(self.coefficients) != count:
            raise self.error("coeff", f"{len(self.coefficients)} given for {count} bottoms")
        if param.coeff and self.operation != "sum":
            raise self.error("coeff", f"only SUM has coefficients, not {self.operation.upper()}")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        for shape in bottoms:
            if shape != bottoms[0]:
                raise self.error("bottom", f"{shape} and {bottoms[0]} differ")
        return [bottoms[0]]

    @override
    def can_be_epilogue(self) -> bool:
        """The sum of two."""
        return self.operation == "sum" and len(self.coefficients) == 2

    @override
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        return [
            ops.epilogue.Sum(others[0], self.coefficients[bottom], self.coefficients[1 - bottom], bottom == 1)
        ]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ops.eltwise(self.operation, bottoms, self.coefficients, out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        if self.operation != "sum":
            result = bottoms[0]
            for number, bottom in enumerate(bottoms[1:], 1):
                if self.operation == "prod":
                    result = result * bottom
                else:  # the gradient goes to the winner, as ops.eltwise has it
                    wins = bottom >= result if number == 1 else bottom > result
                    result = torch.where(wins, bottom, result)
            return [result]
        result = torch.mul(bottoms[0], self.coefficients[0])
        for coefficient, bottom in zip(self.coefficients[1:], bottoms[1:], strict=True):
            result = torch.add(result, bottom, alpha=coefficient)
        return [result]
