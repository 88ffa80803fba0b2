"""A convolution's epilogue for the precisions other than exact: folded into its weights, or done by torch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...ops.epilogue import Bias, ChannelOp, EpilogueOp, Scale


def _front(epilogue: Sequence[EpilogueOp]) -> list[ChannelOp]:
    """The leading ops that are a scale and a shift per channel."""
    front: list[ChannelOp] = []
    for op in epilogue:
        if not isinstance(op, ChannelOp):
            break
        front.append(op)
    return front


def rest(epilogue: Sequence[EpilogueOp]) -> list[EpilogueOp]:
    """The ops that `fold` leaves."""
    return list(epilogue[len(_front(epilogue)) :])


def fold(weights: Tensor, epilogue: Sequence[EpilogueOp]) -> tuple[Tensor, Tensor | None]:
    """Weights (out, in, kh, kw) and bias (out), or None, that do the leading per-channel ops, too."""
    front = _front(epilogue)
    if not front:
        return weights, None
    scale, shift = _scale_and_shift(front)
    return weights * scale.view(-1, 1, 1, 1), shift


def merge(epilogue: Sequence[EpilogueOp]) -> list[EpilogueOp]:
    """At most one scale and one shift per channel in place of the leading ops."""
    front = _front(epilogue)
    if len(front) < 2:
        return [*front]
    scale, shift = _scale_and_shift(front)
    return [Scale(scale), Bias(shift)]


def _scale_and_shift(front: Sequence[ChannelOp]) -> tuple[Tensor, Tensor]:
    """What per-channel ops, of which there are some, make of an output, both (out)."""
    first = front[0].operands().channels[0].reshape(-1)
    scale, shift = torch.ones_like(first), torch.zeros_like(first)
    for op in front:
        scale, shift = op.behind(scale, shift)
    return scale, shift


def apply(y: Tensor, epilogue: Sequence[EpilogueOp]) -> Tensor:
    """`y` after the ops, each in its own pass; `y` is overwritten."""
    for op in epilogue:
        y = op.apply_(y)
    return y
