"""Ops over the planes of (num, channels, height, width) tensors: pooling and interpolation."""

from torch import Tensor

from ..errors import DeepLabError
from ..types import Pair
from .backend import backend_of, kernels
from .checks import check, output
from .labels import argmax


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
    native, executor = kernels(x, threads)
    getattr(native, name)(x.data_ptr(), out.data_ptr(), planes, *geometry, executor)
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


def interp_geometry(name: str, x: Tensor, size: Pair, crop: Pair) -> tuple[int, ...]:
    """What the kernels want to know, from the height of `x` on."""
    begin, end = crop
    height, width = x.shape[2] - begin - end, x.shape[3] - begin - end
    if min(begin, end) < 0 or min(height, width) < 1 or min(size) < 1 or max(size) >= 2**31:
        raise DeepLabError(f"{name}: size {size} from {tuple(x.shape)} cropped by {crop}")
    return (*x.shape[2:], begin, begin, height, width, *size)


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
    geometry = interp_geometry("interp", x, size, crop)
    out = output("interp", out, (*x.shape[:2], *size), x)
    planes = x.shape[0] * x.shape[1]
    native, executor = kernels(x, threads)
    native.interp(x.data_ptr(), out.data_ptr(), planes, *geometry, half_pixel, executor)
    return out


def interp_argmax(
    x: Tensor,
    size: Pair,
    crop: Pair = (0, 0),
    half_pixel: bool = False,
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The labels (num, 1, *size) that `argmax` finds in `interp`'s result, which no GPU has to hold."""
    x = check("interp_argmax", x, dims=4)
    geometry = interp_geometry("interp_argmax", x, size, crop)
    out = output("interp_argmax", out, (x.shape[0], 1, *size), x)
    if x.shape[1] < 1:
        raise DeepLabError("interp_argmax: no labels")
    if not backend_of(x.device).is_gpu:
        return out.copy_(argmax(interp(x, size, crop, half_pixel, threads=threads), threads=threads)[0])
    native, stream = kernels(x)
    native.interp_argmax(x.data_ptr(), out.data_ptr(), *x.shape[:2], *geometry, half_pixel, stream)
    return out
