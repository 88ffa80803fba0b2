"""Ops over the planes of (num, channels, height, width) tensors: pooling and interpolation."""

from .. import _C
from ..errors import DeepLabError
from .common import Tensor, check, kernels, output, place, thread_count

Pair = tuple[int, int]


def _pool(
    name: str,
    x: Tensor,
    window: tuple[Pair, Pair, Pair, Pair],
    threads: int | None,
    out: Tensor | None,
) -> Tensor:
    x = check(name, x, dims=4)
    for field, values, least in zip(("size", "kernel", "stride", "pad"), window, (1, 1, 1, 0), strict=True):
        if min(values) < least or max(values) >= 2**31:
            raise DeepLabError(f"{name}: {field} {values}, at least {least} wanted")
    size = window[0]
    out = output(name, out, (*x.shape[:2], *size), x)
    planes = x.shape[0] * x.shape[1]
    geometry = (*x.shape[2:], *(value for pair in window for value in pair))
    getattr(kernels(x), name)(x.data_ptr(), out.data_ptr(), planes, *geometry, place(x, threads))
    return out


def max_pool(
    x: Tensor,
    size: Pair,
    kernel: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Maximum over windows of `kernel` rows and columns, padding left out; -FLT_MAX where nothing is left.

    x: (num, channels, height, width). size: that of the result, since the rule of rounding is the caller's.
    """
    return _pool("max_pool", x, (size, kernel, stride, pad), threads, out)


def average_pool(
    x: Tensor,
    size: Pair,
    kernel: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum over each window, row by row from 0, over the window's area, of which `pad` rows and columns count.

    Arguments as those of `max_pool`.
    """
    return _pool("average_pool", x, (size, kernel, stride, pad), threads, out)


def interp(
    x: Tensor,
    size: Pair,
    crop: Pair = (0, 0),
    half_pixel: bool = False,
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Bilinear interpolation to `size` whose corners coincide with the input's.

    x: (num, channels, height, width); crop: rows and columns left out at the beginning and end of both axes.
    half_pixel: the outer edges of the corner pixels coincide instead of their centres.
    """
    x = check("interp", x, dims=4)
    begin, end = crop
    height, width = x.shape[2] - begin - end, x.shape[3] - begin - end
    if min(begin, end) < 0 or min(height, width) < 1 or min(size) < 1 or max(size) >= 2**31:
        raise DeepLabError(f"interp: size {size} from {tuple(x.shape)} cropped by {crop}")
    out = output("interp", out, (*x.shape[:2], *size), x)
    planes = x.shape[0] * x.shape[1]
    geometry = (*x.shape[2:], begin, begin, height, width, *size)
    _C.interp(x.data_ptr(), out.data_ptr(), planes, *geometry, half_pixel, thread_count(threads))
    return out
