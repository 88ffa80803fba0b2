"""MultinomialLogisticLoss: the cross entropy of given probabilities."""

from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.loss import LabelLossLayer


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(LabelLossLayer):
    """Sum of -log(max(probability of the label, 1e-20)) over num."""

    @override
    def total(self, x: Tensor, partner: Tensor) -> Tensor:
        return -x.gather(1, self.labels(x, partner)).clamp(min=1e-20).log().sum()
