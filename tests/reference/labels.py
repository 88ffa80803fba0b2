"""Twins of ops.labels, in the dtype of the input."""

from functools import reduce
from math import prod
from operator import add

import torch

from tests.reference.elementwise import exp, log

Tensor = torch.Tensor


def softmax(x: Tensor, axis: int = 1) -> Tensor:
    """See ops.softmax."""
    e = exp(x - x.amax(axis, keepdim=True))
    axis %= x.dim()
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    total = label_sums(e.reshape(prod(before), x.shape[axis], prod(after)))
    return e / total.reshape((*before, *after)).unsqueeze(axis)


def label_sums(e: Tensor) -> Tensor:
    """[outer, labels, inner] -> [outer, inner]: sums over the labels, in csrc/pixelwise/softmax.h's order."""
    labels, inner = e.shape[1:]
    rows = e.unbind(1)
    plain = reduce(add, rows)
    if inner <= 16384 and labels <= 48 and labels != 4:
        return plain
    grouped = apart = torch.zeros_like(plain)
    while rows:
        size = next(size for size in (8, 4, 2, 1) if size <= len(rows))
        group, rows = rows[:size], rows[size:]
        grouped = grouped + reduce(add, group)
        apart = apart + (
            reduce(add, group[::2]) + reduce(add, group[1::2]) if size >= 4 else reduce(add, group)
        )
    start, tail = inner // 4096 * 4096, inner - inner % 4
    end = start + (inner % 4096 & 12)
    return torch.cat([grouped[:, :start], apart[:, start:end], grouped[:, end:tail], plain[:, tail:]], 1)


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
