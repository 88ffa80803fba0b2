"""SigmoidCrossEntropyLoss: the cross entropy of independent yes-or-no labels."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .base import register
from .parts.loss import SumLossLayer


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(SumLossLayer):
    """Bottoms: scores x, targets t. With p = sigmoid(x): sum of -t log p - (1-t) log(1-p) over num."""

    @override
    def total(self, x: Tensor, partner: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(x.flatten(), partner.flatten(), reduction="sum")
