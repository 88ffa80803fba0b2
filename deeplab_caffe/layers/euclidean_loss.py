"""EuclideanLoss: half the mean squared distance of two blobs."""

from torch import Tensor
from typing_extensions import override

from .base import register
from .parts.loss import LossLayer


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Sum of squared differences (taken in float32) over 2 * num.

    v1: `euclidean_loss_param { type }`: over 2 * count (L2, the default), or the root of their mean (L2sqrt).
    """

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        difference = (bottoms[0].flatten() - bottoms[1].flatten()).double()
        param = self.definition.param.euclidean_loss_param
        over = difference if self.definition.dialect.euclidean_over_count else bottoms[0]
        mean = difference.square().sum() / len(over)
        if not param.type == param.L2sqrt:
            return [self.top(mean / 2, bottoms[0])]
        root = mean.sqrt()
        if root < 1e-6:  # The derivative of a root this small is that of 1e-6.
            root = root.detach() + (mean - mean.detach()) / 2e-6
        return [self.top(root, bottoms[0])]
