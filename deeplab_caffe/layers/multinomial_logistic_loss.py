"""MultinomialLogisticLoss: the cross entropy of given probabilities."""

import torch

from .base import register
from .parts.loss import LabelLossLayer


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(LabelLossLayer):
    """Sum of -log(max(probability of the label, 1e-20)) over num."""

    def total(self, x: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
        """See SumLossLayer."""
        return -x.gather(1, self.labels(x, partner)).clamp(min=1e-20).log().sum()
