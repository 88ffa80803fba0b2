"""A convolution's steps for the precisions other than exact: folded into its weights, or done by torch."""

from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor
Step = tuple[Any, ...]  # see ops.atrous_conv


def _front(steps: list[Step]) -> int:
    """How many leading steps are a factor and a summand per channel."""
    return next((i for i, step in enumerate(steps) if step[0] in ("sum", "relu", "clip")), len(steps))


def rest(steps: list[Step]) -> list[Step]:
    """The steps that `fold` leaves."""
    return steps[_front(steps) :]


def fold(weights: Tensor, steps: list[Step]) -> tuple[Tensor, Tensor | None]:
    """Weights (out, in, kh, kw) and bias (out), or None, that do the leading per-channel steps, too."""
    if not _front(steps):
        return weights, None
    factor, summand = _factor_and_summand(steps)
    return weights * factor.view(-1, 1, 1, 1), summand


def merge(steps: list[Step]) -> list[Step]:
    """At most one factor and one summand per channel in place of the leading steps."""
    if _front(steps) < 2:
        return steps[: _front(steps)]
    factor, summand = _factor_and_summand(steps)
    return [("scale", factor), ("bias", summand)]


def _factor_and_summand(steps: list[Step]) -> tuple[Tensor, Tensor]:
    """What the leading per-channel steps, of which there are some, make of an output, both (out)."""
    first = steps[0][1].reshape(-1)
    factor, summand = torch.ones_like(first), torch.zeros_like(first)
    for kind, *operands in steps[: _front(steps)]:
        values = [operand.reshape(-1) for operand in operands]
        if kind == "bias":
            summand = summand + values[0]
        elif kind == "scale":
            factor, summand = factor * values[0], summand * values[0]
        else:
            factor, summand = factor / values[1], (summand - values[0]) / values[1]
    return factor, summand


def apply(y: Tensor, steps: list[Step]) -> Tensor:
    """`y` after the steps, each in its own pass; `y` is overwritten."""
    for kind, *operands in steps:
        if kind == "relu":
            y = functional.leaky_relu_(y, operands[0]) if operands[0] else y.relu_()
        elif kind == "clip":
            y = y.clamp_(*operands)
        elif kind == "sum":
            other, own, others, _ = operands
            y = (y if own == 1 else y.mul_(own)).add_(other.to(y.dtype), alpha=others)
        else:
            values = [operand.to(y.dtype).view(1, -1, 1, 1) for operand in operands]
            if kind == "bias":
                y = y.add_(values[0])
            elif kind == "scale":
                y = y.mul_(values[0])
            else:
                y = y.sub_(values[0]).div_(values[1])
    return y
