"""EuclideanLoss: half the mean squared distance of two blobs."""

import torch

from .base import register
from .loss import LossLayer


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Sum of squared differences (taken in float32) over 2 * num."""

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        difference = (bottoms[0].flatten() - bottoms[1].flatten()).double()
        return [self.top(difference.square().sum() / 2 / len(bottoms[0]), bottoms[0])]
