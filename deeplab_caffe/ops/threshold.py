"""Threshold: the smallest op there is, to copy for a new kernel (csrc/pixelwise/threshold.h)."""

from torch import Tensor

from .backend import kernels
from .checks import check, output


def threshold(x: Tensor, limit: float, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """1 where x > limit, else 0 (for NaN, too); x: float32, any shape. `out` may be `x`."""
    x = check("threshold", x)
    out = output("threshold", out, x.shape, x)
    native, executor = kernels(x, threads)
    native.threshold(x.data_ptr(), limit, out.data_ptr(), x.numel(), executor)
    return out
