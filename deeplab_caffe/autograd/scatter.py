"""Values put at places of a plane, the last one of a place staying, with the gradients of Caffe's forks."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override


def scatter_last(values: Tensor, places: Tensor, count: int) -> Tensor:
    """values (N, C, n) at places (N, C, n) of planes (N, C, count), 0 elsewhere.

    Where several have one place the last one counts; the gradient of each is what stands at its place, also
    of those that others have overwritten.
    """
    return _Scatter.apply(values, places, count)


class _Scatter(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, values: Tensor, places: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(places)
        order = torch.arange(places.shape[2], device=places.device).expand_as(places)
        last = torch.full((*places.shape[:2], count), -1, dtype=torch.int64, device=places.device)
        last.scatter_reduce_(2, places, order, "amax")
        found = values.gather(2, last.clamp(min=0))
        return torch.where(last >= 0, found, 0)

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        return gradient.gather(2, places), None, None
