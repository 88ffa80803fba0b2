"""Reduction: sums over the last axes."""

from math import prod

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Reduction")
class Reduction(Layer):
    """`reduction_param { operation: SUM|ASUM|SUMSQ|MEAN, axis, coeff }`: over `axis` and all after it.

    Added up in float64 and rounded once.
    """

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        along = self._along(len(bottoms[0]))
        if prod(bottoms[0][along:]) == 0:
            raise self.error("bottom", f"{bottoms[0]} has nothing to add up from axis {along} on")
        return [bottoms[0][:along]]

    def _along(self, dims: int) -> int:
        return self.axis("axis", self.definition.param.reduction_param.axis, dims)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        param = self.definition.param.reduction_param
        rows = bottoms[0].flatten(self._along(bottoms[0].dim())).double()
        total = {
            "SUM": lambda: rows.sum(-1),
            "ASUM": lambda: rows.abs().sum(-1),
            "SUMSQ": lambda: rows.square().sum(-1),
            "MEAN": lambda: rows.mean(-1),
        }[param.ReductionOp.Name(param.operation)]()
        tops[0].copy_(total.float() * param.coeff)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        param = self.definition.param.reduction_param
        rows = bottoms[0].flatten(self._along(bottoms[0].dim()))
        kind = param.ReductionOp.Name(param.operation)
        rows = {"ASUM": rows.abs, "SUMSQ": rows.square}.get(kind, lambda: rows)()
        return [(rows.mean(-1) if kind == "MEAN" else rows.sum(-1)) * param.coeff]
