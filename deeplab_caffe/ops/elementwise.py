"""Ops that treat every value alike, or every value of a channel. `out` may be the input itself."""

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from ..threads import thread_count
from .backend import kernels
from .checks import around_axis, check, output


def _each(
    name: str, kernel: str, x: Tensor, *values: float, threads: int | None, out: Tensor | None
) -> Tensor:
    x = check(name, x)
    out = output(name, out, x.shape, x)
    native, executor = kernels(x, threads)
    getattr(native, kernel)(x.data_ptr(), *values, out.data_ptr(), x.numel(), executor)
    return out


def _each_on_host(
    name: str, kernel: str, x: Tensor, *values: float, threads: int | None, out: Tensor | None
) -> Tensor:
    """For functions whose bits only the C library has: a tensor on a GPU makes the way there and back."""
    x = check(name, x)
    out = output(name, out, x.shape, x)
    given, result = x.cpu(), out if out.device.type == "cpu" else torch.empty(out.shape)
    getattr(_C, kernel)(given.data_ptr(), *values, result.data_ptr(), x.numel(), thread_count(threads))
    return out if result is out else out.copy_(result)


def relu(x: Tensor, slope: float = 0.0, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """max(x, 0) + slope * min(x, 0), of any shape."""
    return _each("relu", "relu", x, slope, threads=threads, out=out)


def exp(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """e^x with the bits of the GNU C library's expf."""
    return _each("exp", "exact_exp", x, threads=threads, out=out)


def log(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The natural logarithm with the bits of the GNU C library's logf."""
    return _each("log", "exact_log", x, threads=threads, out=out)


def tanh(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The C library's tanhf; computed on the host, whatever the device."""
    return _each_on_host("tanh", "c_tanh", x, threads=threads, out=out)


def power(x: Tensor, exponent: float, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The C library's powf(x, exponent); computed on the host, whatever the device."""
    return _each_on_host("power", "c_pow", x, exponent, threads=threads, out=out)


def batch_norm(
    x: Tensor, mean: Tensor, std: Tensor, *, threads: int | None = None, out: Tensor | None = None
) -> Tensor:
    """(x - mean) / std; x is (num, channels, ...), mean and std (channels)."""
    x = check("batch_norm", x)
    outer, channels, inner = around_axis("batch_norm", x, 1)
    mean = check("batch_norm: mean", mean, count=channels, like=x)
    std = check("batch_norm: std", std, count=channels, like=x)
    out = output("batch_norm", out, x.shape, x)
    native, executor = kernels(x, threads)
    sizes = outer, channels, inner, executor
    native.batch_norm(x.data_ptr(), mean.data_ptr(), std.data_ptr(), out.data_ptr(), *sizes)
    return out


def scale(
    x: Tensor,
    factor: Tensor | None,
    bias: Tensor | None = None,
    axis: int = 1,
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """x * factor + bias, two roundings; a factor or bias of None is left out.

    factor, bias: of the shape x.shape[axis : axis + n] for some n; repeated over the other axes.
    """
    x = check("scale", x)
    given = [t for t in (factor, bias) if t is not None]
    out = output("scale", out, x.shape, x)
    if not given:
        return out.copy_(x)
    outer = x.shape[:axis].numel()
    channels = given[0].numel()
    inner = x.shape[axis + given[0].dim() :].numel()
    for t in given:
        if t.shape != x.shape[axis : axis + t.dim()] or t.shape != given[0].shape:
            raise DeepLabError(f"scale: {tuple(t.shape)} does not fit {tuple(x.shape)} from axis {axis} on")
    kept = [None if t is None else check("scale", t, like=x) for t in (factor, bias)]
    addresses = (0 if t is None else t.data_ptr() for t in kept)
    native, executor = kernels(x, threads)
    sizes = outer, channels, inner, executor
    native.scale(x.data_ptr(), *addresses, out.data_ptr(), *sizes)
    return out


def prelu(x: Tensor, slope: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """max(x, 0) + slope * min(x, 0) with one slope per channel (axis 1), or one for all."""
    x = check("prelu", x)
    outer, channels, inner = around_axis("prelu", x, 1)
    slope = check(
        "prelu: slope", slope.expand(channels) if slope.numel() == 1 else slope, count=channels, like=x
    )
    out = output("prelu", out, x.shape, x)
    native, executor = kernels(x, threads)
    sizes = outer, channels, inner, executor
    native.prelu(x.data_ptr(), slope.data_ptr(), out.data_ptr(), *sizes)
    return out
