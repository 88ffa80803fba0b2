"""The softmax loss with the gradient as the original rounds it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override


class SoftmaxLossFunction(torch.autograd.Function):
    """Loss and probabilities of scores; only the loss has a gradient, in the scores."""

    @staticmethod
    @override
    def forward(
        ctx: Any,
        compute: Callable[[Tensor], tuple[Tensor, Tensor, float]],
        along: int,
        scores: Tensor,
        target: Tensor,
        weight: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """compute(scores): loss, probabilities and what the sum of the losses was divided by.

        along: the axis of the labels; target, weight: of each position, the label and what it counts.
        """
        loss, probability, ctx.divisor = compute(scores.contiguous())
        ctx.along = along
        ctx.save_for_backward(probability, target, weight)
        ctx.mark_non_differentiable(probability)
        return loss, probability

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, d_loss: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """(probability - onehot) * weight of the label, then times the loss's gradient over the divisor."""
        (probability, target, weight), along = ctx.saved_tensors, ctx.along
        at = (*probability.shape[:along], 1, *probability.shape[along + 1 :])
        dx = probability.clone()
        dx.scatter_add_(along, target.view(at), torch.full(at, -1.0, device=dx.device))
        # Without a counted position there is nothing to divide by, and no gradient.
        share = d_loss.reshape(()) / ctx.divisor if ctx.divisor else 0.0
        dx.mul_(weight.view(at)).mul_(share)
        return None, None, dx, None, None
