"""HingeLoss: how far scores are from the right side of a margin of 1."""

from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.loss import LabelLossLayer


@register("HingeLoss")
class HingeLoss(LabelLossLayer):
    """`hinge_loss_param { norm: L1|L2 }`: max(0, 1 + score), of the label max(0, 1 - score); sum over num."""

    @override
    def total(self, x: Tensor, partner: Tensor) -> Tensor:
        labels = self.labels(x, partner)
        margin = (1 + x.scatter(1, labels, -x.gather(1, labels))).clamp(min=0)
        param = self.definition.param.hinge_loss_param
        return (margin.square() if param.norm == param.L2 else margin).sum()
