"""Ops that treat every value alike, or every value of a channel. `out` may be the input itself."""

from collections.abc import Callable

from .. import _C
from ..errors import DeepLabError
from .common import Tensor, around_axis, check, output, thread_count


def _each(
    name: str, kernel: Callable, x: Tensor, *values: float, threads: int | None, out: Tensor | None
) -> Tensor:
    x = check(name, x)
    out = output(name, out, x.shape, x)
    kernel(x.data_ptr(), *values, out.data_ptr(), x.numel(), thread_count(threads))
    return out


def relu(x: Tensor, slope: float = 0.0, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """max(x, 0) + slope * min(x, 0), of any shape."""
    return _each("relu", _C.relu, x, slope, threads=threads, out=out)


def exp(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """e^x with the bits of the GNU C library's expf."""
    return _each("exp", _C.exact_exp, x, threads=threads, out=out)


def log(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The natural logarithm with the bits of the GNU C library's logf."""
    return _each("log", _C.exact_log, x, threads=threads, out=out)


def tanh(x: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The C library's tanhf."""
    return _each("tanh", _C.c_tanh, x, threads=threads, out=out)


def power(x: Tensor, exponent: float, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """The C library's powf(x, exponent)."""
    return _each("power", _C.c_pow, x, exponent, threads=threads, out=out)


def batch_norm(
    x: Tensor, mean: Tensor, deviation: Tensor, *, threads: int | None = None, out: Tensor | None = None
) -> Tensor:
    """(x - mean) / deviation; x is (num, channels, ...), mean and deviation (channels)."""
    x = check("batch_norm", x)
    outer, channels, inner = around_axis("batch_norm", x, 1)
    mean = check("batch_norm: mean", mean, count=channels)
    deviation = check("batch_norm: deviation", deviation, count=channels)
    out = output("batch_norm", out, x.shape, x)
    sizes = outer, channels, inner, thread_count(threads)
    _C.batch_norm(x.data_ptr(), mean.data_ptr(), deviation.data_ptr(), out.data_ptr(), *sizes)
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
    kept = [None if t is None else check("scale", t) for t in (factor, bias)]
    addresses = (0 if t is None else t.data_ptr() for t in kept)
    _C.scale(x.data_ptr(), *addresses, out.data_ptr(), outer, channels, inner, thread_count(threads))
    return out


def prelu(x: Tensor, slope: Tensor, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """max(x, 0) + slope * min(x, 0) with one slope per channel (axis 1), or one for all."""
    x = check("prelu", x)
    outer, channels, inner = around_axis("prelu", x, 1)
    slope = check("prelu: slope", slope.expand(channels) if slope.numel() == 1 else slope, count=channels)
    out = output("prelu", out, x.shape, x)
    sizes = outer, channels, inner, thread_count(threads)
    _C.prelu(x.data_ptr(), slope.data_ptr(), out.data_ptr(), *sizes)
    return out
