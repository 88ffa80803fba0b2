"""A forward pass with the gradients of a formula for the same values."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

# What computes the tops from the bottoms, and what does so from bottoms and blobs with torch's operators.
Forward = Callable[[list[Tensor]], list[Tensor]]
Formula = Callable[[list[Tensor], list[Tensor]], list[Tensor]]


def layer_function(
    forward: Forward, formula: Formula, bottoms: list[Tensor], blobs: list[Tensor]
) -> list[Tensor]:
    """The tops of `forward(bottoms)`, which reads `blobs` as well, differentiable in both.

    Their gradients are those of `formula(bottoms, blobs)`, evaluated on the way back; it raises where there
    are none.
    """
    if any(x.requires_grad for x in (*bottoms, *blobs)):
        return list(_LayerFunction.apply(forward, formula, len(bottoms), *bottoms, *blobs))
    return forward(bottoms)


class _LayerFunction(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any, forward: Forward, formula: Formula, count: int, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.formula, ctx.count = formula, count
        ctx.save_for_backward(*tensors)
        return tuple(forward(list(tensors[:count])))

    @staticmethod
    @override
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[3:]
        nothing = (None,) * (3 + len(wanted))
        if all(gradient is None for gradient in gradients):
            return nothing
        with torch.enable_grad():
            tensors = [
                x.detach().requires_grad_(needed) for x, needed in zip(ctx.saved_tensors, wanted, strict=True)
            ]
            tops = ctx.formula(tensors[: ctx.count], tensors[ctx.count :])
        pairs = [
            (top, gradient.to(top.dtype))
            for top, gradient in zip(tops, gradients, strict=True)
            if gradient is not None and top.requires_grad
        ]
        if not pairs:
            return nothing
        inputs = [x for x in tensors if x.requires_grad]
        outputs, incoming = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(outputs, inputs, incoming, allow_unused=True))
        return (None, None, None, *(next(found) if x.requires_grad else None for x in tensors))
