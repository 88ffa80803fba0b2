"""A forward and a backward pass that both are somebody's functions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

# Gradients in bottoms and blobs, from: bottoms, tops, gradients in those, which bottoms' are wanted.
Backward = Callable[[list[Tensor], list[Tensor], list[Tensor], list[bool]], list[Tensor]]


def callback_function(
    forward: Callable[[list[Tensor]], list[Tensor]],
    backward: Backward,
    bottoms: list[Tensor],
    blobs: list[Tensor],
) -> list[Tensor]:
    """The tops of `forward(bottoms)`, whose gradients in bottoms and blobs `backward` tells."""
    if any(x.requires_grad for x in (*bottoms, *blobs)):
        return list(_CallbackFunction.apply(forward, backward, len(bottoms), *bottoms, *blobs))
    return forward(bottoms)


class _CallbackFunction(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any,
        forward: Callable[[list[Tensor]], list[Tensor]],
        backward: Backward,
        count: int,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        tops = tuple(forward(list(tensors[:count])))
        ctx.backward_function, ctx.count = backward, count
        ctx.save_for_backward(*tensors[:count], *tops)
        return tops

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        wanted = list(ctx.needs_input_grad[3:])
        saved = list(ctx.saved_tensors)
        bottoms, tops = saved[: ctx.count], saved[ctx.count :]
        incoming = [gradient.contiguous() for gradient in gradients]
        found = ctx.backward_function(bottoms, tops, incoming, wanted[: ctx.count])
        results = (value if needed else None for value, needed in zip(found, wanted, strict=True))
        return (None, None, None, *results)
