"""The gradients of the atrous convolution in its input, weights and bias, in the original's order of sums."""

from math import gcd

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from ..threads import thread_count
from ..types import Pair, Shape, plane
from .checks import check, output
from .geometry import ConvGeometry


def _geometry(
    x: Shape, dy: Shape, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> ConvGeometry:
    return ConvGeometry(x[0], x[1], plane(x), dy[1], plane(dy), kernel, stride, pad, dilation, groups)


def _check_cpu(name: str, x: Tensor) -> None:
    if x.device.type != "cpu":
        raise DeepLabError(f"{name}: on {x.device}, only the CPU has this kernel")


def _check_fit(name: str, x: Shape, weights: Shape, dy: Shape, groups: int) -> None:
    fits = x[0] == dy[0] and weights[0] == dy[1] and weights[1] * groups == x[1] and dy[1] % groups == 0
    if not fits:
        raise DeepLabError(
            f"{name}: input {x}, weights {weights}, {groups} groups and output {dy} do not fit"
        )


def conv_data_gradient(
    dy: Tensor,
    weights: Tensor,
    size: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    threads: int | None = None,
) -> Tensor:
    """The gradient [batch, channels, *size] in the input of ops.atrous_conv.

    dy: the gradient in its output; weights [out, channels / groups, kh, kw]. Each tap's sum over the output
    channels is taken in the canonical blocks, then the taps are added, first to last: Caffe's product with
    the transposed weights and col2im.
    """
    dy, weights = check("conv_data_gradient", dy, 4), check("conv_data_gradient: weights", weights, 4)
    _check_cpu("conv_data_gradient", dy)
    shape = (dy.shape[0], weights.shape[1] * groups, *size)
    _check_fit("conv_data_gradient", shape, tuple(weights.shape), tuple(dy.shape), groups)
    if stride == (1, 1):
        return _unstrided(dy, weights, shape, pad, dilation, groups, threads)
    dx = dy.new_zeros(shape)
    for row in range(min(stride[0], size[0])):
        row_taps = _taps_meeting(row, weights.shape[2], stride[0], pad[0], dilation[0])
        for column in range(min(stride[1], size[1])):
            column_taps = _taps_meeting(column, weights.shape[3], stride[1], pad[1], dilation[1])
            if row_taps is None or column_taps is None:
                continue
            taps = weights[:, :, row_taps[0], column_taps[0]].contiguous()
            part = dx[:, :, row :: stride[0], column :: stride[1]]
            pads, dilations = (row_taps[1], column_taps[1]), (row_taps[2], column_taps[2])
            part.copy_(_unstrided(dy, taps, tuple(part.shape), pads, dilations, groups, threads))
    return dx


def _taps_meeting(
    place: int, kernel: int, stride: int, pad: int, dilation: int
) -> tuple[slice, int, int] | None:
    """The taps by which inputs place, place + stride, ... reach outputs, and the unstrided pad and dilation.

    Input place + stride * j meets output j + (place + pad - dilation * tap) / stride, where that is whole.
    """
    first = next((tap for tap in range(kernel) if (place + pad - dilation * tap) % stride == 0), None)
    if first is None:
        return None
    step = stride // gcd(stride, dilation)
    return slice(first, None, step), (place + pad - dilation * first) // stride, dilation * step // stride


def _unstrided(
    dy: Tensor,
    weights: Tensor,
    shape: Shape,
    pad: Pair,
    dilation: Pair,
    groups: int,
    threads: int | None,
) -> Tensor:
    kernel = weights.shape[2], weights.shape[3]
    geometry = _geometry(shape, tuple(dy.shape), kernel, (1, 1), pad, dilation, groups).native()
    packed = torch.empty(_C.gradient_weights_size(geometry))
    _C.pack_gradient_weights(geometry, weights.data_ptr(), packed.data_ptr(), thread_count(threads))
    dx = dy.new_empty(shape)
    _C.conv_data_gradient(geometry, dy.data_ptr(), packed.data_ptr(), dx.data_ptr(), thread_count(threads))
    return dx


def conv_weight_gradient(
    x: Tensor,
    dy: Tensor,
    kernel: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    threads: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The gradient [out, channels / groups, *kernel] in the weights of ops.atrous_conv.

    x: its input, dy: the gradient in its output. Summed over each image's output positions in the canonical
    blocks, which are added up image by image. Small ones (at most 1200 weights a group, 1,000,000 products an
    image, 32 positions or more) are dot products in sixteen lanes, as the original's BLAS has them. out: what
    the images' sums are added to, in place; zeros without.
    """
    x, dy = check("conv_weight_gradient", x, 4), check("conv_weight_gradient: dy", dy, 4)
    _check_cpu("conv_weight_gradient", x)
    if x.shape[1] % groups:
        raise DeepLabError(f"conv_weight_gradient: {groups} groups do not divide {x.shape[1]} channels")
    shape = (dy.shape[1], x.shape[1] // groups, *kernel)
    dw = x.new_zeros(shape) if out is None else output("conv_weight_gradient", out, shape, x)
    _check_fit("conv_weight_gradient", tuple(x.shape), tuple(dw.shape), tuple(dy.shape), groups)
    geometry = _geometry(tuple(x.shape), tuple(dy.shape), kernel, stride, pad, dilation, groups).native()
    _C.conv_weight_gradient(geometry, x.data_ptr(), dy.data_ptr(), dw.data_ptr(), thread_count(threads))
    return dw


def channel_sums(dy: Tensor, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """Sums [channels] of dy [batch, channels, ...], image by image, in the order of the original's BLAS.

    out: what they are added to, in place; zeros without.
    """
    dy = check("channel_sums", dy)
    _check_cpu("channel_sums", dy)
    batch, channels = dy.shape[:2]
    sums = dy.new_zeros(channels) if out is None else output("channel_sums", out, (channels,), dy)
    _C.channel_sums(
        dy.data_ptr(), sums.data_ptr(), batch, channels, dy.shape[2:].numel(), thread_count(threads)
    )
    return sums
