"""torch.vmap of the convolution operators: what is mapped over becomes part of the batch, or more groups.

Every output keeps its own sum, and so its bits.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def register_vmap(operator: Any, rule: Callable[..., Any]) -> None:
    """Lets torch.vmap use rule(operator, info, in_dims, ...); torch 2.4 cannot, and says so itself."""
    if hasattr(operator, "register_vmap"):
        operator.register_vmap(lambda info, dims, *given: rule(operator, info.batch_size, dims, *given))


def fold_convolution(
    conv: Any, count: int, dims: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any
) -> tuple[Tensor, int]:
    """`count` convolutions."""
    *window, groups, size, precision = rest
    x = _first(x, dims[0], count)
    if dims[1] is None and (bias is None or dims[2] is None):
        return conv(x.flatten(0, 1), weight, bias, *rest).unflatten(0, (count, -1)), 0
    weight = _first(weight, dims[1], count).flatten(0, 1)
    bias = None if bias is None else _first(bias, dims[2], count).flatten()
    y = conv(_channels(x), weight, bias, *window, groups * count, size, precision)
    return y.unflatten(1, (count, -1)), 1


def fold_data_gradient(
    gradient: Any, count: int, dims: Any, dy: Tensor, weight: Tensor, *rest: Any
) -> tuple[Tensor, int]:
    """Their gradients in the inputs."""
    *window, groups, size, precision = rest
    dy = _first(dy, dims[0], count)
    if dims[1] is None:
        return gradient(dy.flatten(0, 1), weight, *rest).unflatten(0, (count, -1)), 0
    weight = _first(weight, dims[1], count).flatten(0, 1)
    dx = gradient(_channels(dy), weight, *window, groups * count, size, precision)
    return dx.unflatten(1, (count, -1)), 1


def fold_weight_gradient(
    gradient: Any, count: int, dims: Any, x: Tensor, dy: Tensor, *rest: Any
) -> tuple[Tensor, int]:
    """Their gradients in the weights."""
    *window, groups, kernel, precision = rest
    x, dy = (_channels(_first(t, dim, count)) for t, dim in zip((x, dy), dims, strict=False))
    dw = gradient(x, dy, *window, groups * count, kernel, precision)
    return dw.unflatten(0, (count, -1)), 0


def fold_channel_sums(sums: Any, count: int, dims: Any, dy: Tensor) -> tuple[Tensor, int]:
    """Their gradients in the biases."""
    return sums(_channels(_first(dy, dims[0], count))).unflatten(0, (count, -1)), 0


def _first(x: Tensor, dim: int | None, count: int) -> Tensor:
    """With the mapped dimension first; what is not mapped over is repeated."""
    return x.expand(count, *x.shape) if dim is None else torch.movedim(x, dim, 0)


def _channels(x: Tensor) -> Tensor:
    """[count, batch, channels, height, width] as [batch, count * channels, height, width]."""
    return x.transpose(0, 1).flatten(1, 2)
