"""What every op asks of its arguments."""

import torch
from torch import Tensor

from ..errors import DeepLabError
from ..types import Shape


def check(
    name: str, x: Tensor, dims: int | None = None, count: int | None = None, like: Tensor | None = None
) -> Tensor:
    """`x`, contiguous, if it is float32 (with `dims` dimensions, `count` values, on the device of `like`).

    Refuses a tensor that wants a gradient, while gradients are recorded: the ops would give results without.
    """
    refuse_gradient(name, x)
    if like is not None and x.device != like.device:
        raise DeepLabError(f"{name}: on {x.device}, {like.device} wanted")
    if x.dtype != torch.float32:
        raise DeepLabError(f"{name}: {x.dtype} given, float32 wanted")
    if dims is not None and x.dim() != dims:
        raise DeepLabError(f"{name}: {x.dim()} dimensions given, {dims} wanted")
    if count is not None and x.numel() != count:
        raise DeepLabError(f"{name}: {x.numel()} values given, {count} wanted")
    return x.contiguous()


def refuse_gradient(name: str, x: Tensor) -> None:
    """DeepLabError if what an op makes of `x` would be wanted to have a gradient."""
    if x.requires_grad and torch.is_grad_enabled():
        raise DeepLabError(
            f"{name}: a tensor wants a gradient, which this op has not: within torch.no_grad(), or "
            "deeplab_caffe.atrous_conv2d, a net's module() and crf.modules, which have gradients"
        )


def output(name: str, out: Tensor | None, shape: Shape, like: Tensor) -> Tensor:
    """`out` if it fits, else a new tensor of that shape."""
    if out is None:
        return torch.empty(shape, dtype=torch.float32, device=like.device)
    if tuple(out.shape) != tuple(shape) or out.dtype != torch.float32 or not out.is_contiguous():
        raise DeepLabError(
            f"{name}: out is {tuple(out.shape)} {out.dtype}, contiguous float32 {tuple(shape)} wanted"
        )
    if out.device != like.device:
        raise DeepLabError(f"{name}: out is on {out.device}, {like.device} wanted")
    return out


def around_axis(name: str, x: Tensor, axis: int) -> tuple[int, int, int]:
    """Number of values before, along and after `axis` (negative: from the end) of a contiguous `x`."""
    if not -x.dim() <= axis < x.dim():
        raise DeepLabError(f"{name}: no axis {axis} in {x.dim()} dimensions")
    axis %= x.dim()
    return x.shape[:axis].numel(), x.shape[axis], x.shape[axis + 1 :].numel()
