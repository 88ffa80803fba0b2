"""The softmax loss with the gradient as the original rounds it."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from ..layers.softmax_with_loss import SoftmaxWithLoss


class SoftmaxLossFunction(torch.autograd.Function):
    """Loss and probabilities of a SoftmaxWithLoss layer; only the loss has a gradient, in the scores."""

    @staticmethod
    def forward(ctx: Any, layer: "SoftmaxWithLoss", scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """See torch.autograd.Function."""
        scores, labels = scores.contiguous(), labels.contiguous()
        loss = torch.empty(layer.definition.dialect.top_shape(), device=scores.device)
        probability = torch.empty_like(scores)
        ctx.divisor = layer.compute_loss([scores, labels], [loss, probability])
        ctx.layer = layer
        ctx.save_for_backward(probability, labels)
        ctx.mark_non_differentiable(probability)
        return loss, probability

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor, _: Tensor) -> tuple[None, Tensor, None]:
        """(probability - onehot) * weight of the label, then times the loss's gradient over the divisor."""
        probability, labels = ctx.saved_tensors
        target, _, weight = ctx.layer.targets(labels)
        along = ctx.layer.along(probability.dim())
        at = (*probability.shape[:along], 1, *probability.shape[along + 1 :])
        dx = probability.clone()
        dx.scatter_add_(along, target.view(at), torch.full(at, -1.0, device=dx.device))
        # Without a counted position there is nothing to divide by, and no gradient.
        share = d_loss.reshape(()) / ctx.divisor if ctx.divisor else 0.0
        dx.mul_(weight.view(at)).mul_(share)
        return None, dx, None
