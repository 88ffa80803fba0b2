"""Twins of ops.labels, in the dtype of the input."""

import torch

from .elementwise import exp, log

Tensor = torch.Tensor


def softmax(x: Tensor, axis: int = 1) -> Tensor:
    """See ops.softmax."""
    e = exp(x - x.amax(axis, keepdim=True))
    total = torch.zeros_like(e.select(axis, 0))
    for one in e.unbind(axis):
        total = total + one
    return e / total.unsqueeze(axis)


def argmax(x: Tensor, axis: int = 1, top_k: int = 1) -> tuple[Tensor, Tensor]:
    """See ops.argmax."""
    # A stable sort of the reversed axis puts the highest index first among equals.
    values, places = x.flip(axis).sort(dim=axis, descending=True, stable=True)
    labels = x.shape[axis] - 1 - places
    return labels.narrow(axis, 0, top_k).to(x.dtype), values.narrow(axis, 0, top_k)


def softmax_loss(
    probability: Tensor,
    label: Tensor,
    weight: Tensor | None = None,
    ignore: tuple[int, ...] = (),
    axis: int = 1,
) -> tuple[float, float, int]:
    """See ops.softmax_loss."""
    p = probability.movedim(axis, -1).reshape(-1, probability.shape[axis])
    loss, total, count = p.new_zeros(()), p.new_zeros(()), 0
    for row, one in zip(p, label.flatten().long().tolist(), strict=True):
        if one not in ignore:
            w = p.new_ones(()) if weight is None else weight[one]
            loss = loss - w * log(row[one].clamp(min=torch.finfo(torch.float32).tiny))
            total = total + w
            count += 1
    return loss.item(), total.item(), count
