"""EuclideanLoss: half the mean squared distance of two blobs."""

import torch

from .base import register
from .loss import LossLayer


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Sum of squared differences (taken in float32) over 2 * num."""

    def total(self, x: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
        """See LossLayer."""
        return (x.flatten() - partner.flatten()).float().double().square().sum() / 2
