"""Twins of ops.elementwise, in the dtype of the input."""

import torch

Tensor = torch.Tensor


def relu(x: Tensor, slope: float | Tensor = 0.0) -> Tensor:
    """See ops.relu."""
    zero = torch.zeros((), dtype=x.dtype)
    return torch.where(x < 0, zero, x) + slope * torch.where(x > 0, zero, x)


def exp(x: Tensor) -> Tensor:
    """See ops.exp; rounded once, from float64, so that a last bit may differ in float32."""
    return x.double().exp().to(x.dtype)


def log(x: Tensor) -> Tensor:
    """See ops.log; rounded once, from float64."""
    return x.double().log().to(x.dtype)


def tanh(x: Tensor) -> Tensor:
    """See ops.tanh; rounded once, from float64."""
    return x.double().tanh().to(x.dtype)


def power(x: Tensor, exponent: float) -> Tensor:
    """See ops.power; rounded once, from float64."""
    return x.double().pow(exponent).to(x.dtype)


def _along(values: Tensor, x: Tensor, axis: int = 1) -> Tensor:
    return values.reshape(*values.shape, *[1] * (x.dim() - axis - values.dim()))


def batch_norm(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """See ops.batch_norm."""
    return (x - _along(mean, x)) / _along(std, x)


def scale(x: Tensor, factor: Tensor | None, bias: Tensor | None = None, axis: int = 1) -> Tensor:
    """See ops.scale."""
    y = x if factor is None else x * _along(factor, x, axis)
    return y if bias is None else y + _along(bias, x, axis)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """See ops.prelu."""
    return relu(x, _along(slope.flatten(), x) if slope.numel() > 1 else slope.flatten())
