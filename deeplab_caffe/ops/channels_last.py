"""Ops for tensors (num, channels, height, width) in torch's channels-last memory, CPU only."""

from math import inf, prod

import torch

from .. import _C
from ..errors import DeepLabError
from .common import Tensor, check, thread_count
from .convolution import Pair, _geometry
from .memory import empty
from .spatial import interp_geometry

Range = tuple[float, float]
EVERYTHING: Range = (-inf, inf)


def _channels_last(name: str, x: Tensor, dims: int = 4) -> Tensor:
    if x.device.type != "cpu" or x.dtype != torch.float32 or x.dim() != dims:
        raise DeepLabError(f"{name}: {x.dim()}-dimensional {x.dtype} on {x.device} given, float32 wanted")
    return x.contiguous(memory_format=torch.channels_last)


def empty_channels_last(shape: tuple[int, int, int, int]) -> Tensor:
    """Uninitialised float32 values in channels-last memory; many are in huge pages, see `empty`."""
    num, channels, height, width = shape
    return empty(prod(shape)).view(num, height, width, channels).permute(0, 3, 1, 2)


def _output(name: str, out: Tensor | None, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    """`out`, or a new tensor, and the number of values from one position to the next.

    `out` may be some channels of a channels-last tensor.
    """
    if out is None:
        out = empty_channels_last(shape)
    pixel = out.stride(3) if out.dim() == 4 else 0
    wanted = (pixel * shape[2] * shape[3], 1, pixel * shape[3], pixel)
    fits = tuple(out.shape) == shape and out.dtype == torch.float32 and out.device.type == "cpu"
    strides = zip(out.stride(), wanted, shape, strict=False)
    if not fits or pixel < shape[1] or any(own != want and size > 1 for own, want, size in strides):
        raise DeepLabError(f"{name}: out is {tuple(out.shape)} {out.dtype}, channels-last {shape} wanted")
    return out, pixel


def interp_channels_last(
    x: Tensor,
    size: Pair,
    crop: Pair = (0, 0),
    half_pixel: bool = False,
    *,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """`interp`, bit for bit, with the result in channels-last memory.

    out: where to write, also some of the channels of a larger channels-last tensor.
    """
    x = _channels_last("interp_channels_last", x)
    numbers = interp_geometry("interp_channels_last", x, size, crop)
    out, pixel = _output("interp_channels_last", out, (*x.shape[:2], *size))
    sizes = *x.shape[:2], *numbers, pixel, half_pixel, thread_count(threads)
    _C.interp_channels_last(x.data_ptr(), out.data_ptr(), *sizes)
    return out


def depthwise_channels_last(
    x: Tensor,
    weights: Tensor,
    bias: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    *,
    within: Range = EVERYTHING,
    bounds: Range = EVERYTHING,
    size: Pair | None = None,
    threads: int | None = None,
) -> Tensor:
    """A depthwise convolution: each channel with a kernel of its own, and the bias.

    x: float32 (num, channels, height, width); weights: (kernel height, kernel width, channels), contiguous;
    bias: (channels); within: what x is cut off at first, and bounds: the result, both (low, high); NaN
    stays. size: rows and columns of the result, for a padding that differs at both ends (`pad` is the one
    before). The result is channels last.
    """
    x = _channels_last("depthwise_channels_last", x)
    channels = x.shape[1]
    weights = check("depthwise_channels_last", weights, 3)
    bias = check("depthwise_channels_last", bias, 1, channels)
    shape = (weights.shape[2], 1, *weights.shape[:2])
    numbers, result = _geometry(tuple(x.shape), shape, stride, pad, dilation, channels, size)
    y = empty_channels_last(result)
    operands = x.data_ptr(), weights.data_ptr(), bias.data_ptr(), y.data_ptr()
    _C.depthwise_channels_last(_C.ConvGeometry(numbers), *operands, *within, *bounds, thread_count(threads))
    return y
