"""Atrous convolution and its gradients as operators of torch.library.

Convolution and the gradients in its input and in its weights are linear in each of two tensors, and the
derivatives of each are the others: so there are gradients of gradients to any order.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..errors import DeepLabError
from ..types import Pair, Shape
from . import torch_gradient
from .folding import (
    fold_channel_sums,
    fold_convolution,
    fold_data_gradient,
    fold_weight_gradient,
    register_vmap,
)
from .packed import PackedWeights, on_tensor_cores, packed_weights

_WINDOW = "SymInt[] stride, SymInt[] padding, SymInt[] rate"


@torch.library.custom_op(
    "deeplab_caffe::atrous_conv2d",
    mutates_args=(),
    schema=f"(Tensor x, Tensor weight, Tensor? bias, {_WINDOW}, SymInt groups, SymInt[] size, str precision)"
    " -> Tensor",
)
def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
) -> Tensor:
    """`atrous_conv2d` of pairs; size: of the result, empty where padding is the same at both ends."""
    check_types(x, weight, bias, precision)
    geometry = _geometry(x, tuple(weight.shape), stride, padding, rate, groups, size)
    return _convolved(x, packed_weights(weight, groups, precision), bias, geometry)


@torch.library.custom_op(
    "deeplab_caffe::atrous_conv2d_packed",
    mutates_args=(),
    schema=f"(Tensor x, Tensor packed, Tensor? bias, {_WINDOW}, SymInt[] shape, SymInt groups, SymInt[] size,"
    " str precision, bool by_tap) -> Tensor",
)
def conv_packed(
    x: Tensor,
    packed: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    shape: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
    by_tap: bool,
) -> Tensor:
    """The same with PackedWeights of that shape; without gradients."""
    check_types(x, packed, bias, precision, packed=True)
    geometry = _geometry(x, tuple(shape), stride, padding, rate, groups, size)
    weights = PackedWeights(packed, tuple(shape), groups, precision, by_tap)
    return _convolved(x, weights, bias, geometry)


@torch.library.custom_op(
    "deeplab_caffe::atrous_conv2d_data_gradient",
    mutates_args=(),
    schema=f"(Tensor dy, Tensor weight, {_WINDOW}, SymInt groups, SymInt[] size, str precision) -> Tensor",
)
def data_gradient(
    dy: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
) -> Tensor:
    """The gradient [batch, channels, *size] in the input, of that in the output."""
    if dy.device.type != "cpu":
        window = _pairs(stride, padding, rate)
        return torch_gradient.of_data(dy, weight, *window, groups, _pair(size), precision)
    return ops.conv_data_gradient(dy, weight, _pair(size), *_pairs(stride, padding, rate), groups)


@torch.library.custom_op(
    "deeplab_caffe::atrous_conv2d_weight_gradient",
    mutates_args=(),
    schema=f"(Tensor x, Tensor dy, {_WINDOW}, SymInt groups, SymInt[] kernel, str precision) -> Tensor",
)
def weight_gradient(
    x: Tensor,
    dy: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    kernel: Sequence[int],
    precision: str,
) -> Tensor:
    """The gradient [out, channels / groups, *kernel] in the weights, of that in the output."""
    if dy.device.type != "cpu":
        window = _pairs(stride, padding, rate)
        return torch_gradient.of_weight(x, dy, *window, groups, _pair(kernel), precision)
    return ops.conv_weight_gradient(x, dy, _pair(kernel), *_pairs(stride, padding, rate), groups)


@torch.library.custom_op("deeplab_caffe::channel_sums", mutates_args=(), schema="(Tensor dy) -> Tensor")
def channel_sums(dy: Tensor) -> Tensor:
    """The gradient [out] in the bias, of that in the output."""
    return ops.channel_sums(dy) if dy.device.type == "cpu" else dy.sum((0, 2, 3))


def check_types(x: Tensor, weight: Tensor, bias: Tensor | None, precision: str, packed: bool = False) -> None:
    """DeepLabError unless the tensors are on one device and of types that the precision takes."""
    allowed = [torch.float32]
    if precision in ("bf16", "fp16"):
        allowed.append(ops.TENSOR_CORE_DTYPES[precision])
    words = " or ".join(str(dtype).removeprefix("torch.") for dtype in allowed)
    named = {"x": x, "weight": weight, "bias": bias}
    for name, tensor in named.items():
        if tensor is None:
            continue
        if tensor.device != x.device:
            raise DeepLabError(f"atrous_conv2d: {name} is on {tensor.device}, x on {x.device}")
        if tensor.dtype not in allowed and not (packed and name == "weight"):
            found = str(tensor.dtype).removeprefix("torch.")
            raise DeepLabError(f"atrous_conv2d: {name} is {found}, {words} wanted for {precision}")


def _pair(values: Sequence[int]) -> Pair:
    return values[0], values[1]


def _pairs(stride: Sequence[int], padding: Sequence[int], rate: Sequence[int]) -> tuple[Pair, Pair, Pair]:
    return _pair(stride), _pair(padding), _pair(rate)


def _geometry(
    x: Tensor,
    shape: Shape,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    size: Sequence[int],
) -> ops.ConvGeometry:
    window = _pairs(stride, padding, rate)
    return ops.ConvGeometry.of(tuple(x.shape), shape, *window, groups, _pair(size) if size else None)


@cache
def _kept_plans(shape: Shape, groups: int, precision: str) -> dict[Any, Any]:
    """Where plans of launches with such weights are kept: they do not depend on the values."""
    return {}


def _convolved(x: Tensor, weights: PackedWeights, bias: Tensor | None, geometry: ops.ConvGeometry) -> Tensor:
    _check_bias(bias, geometry)
    epilogue = [] if bias is None else [ops.epilogue.Bias(bias.float())]
    window = geometry.stride, geometry.pad, geometry.dilation
    if not on_tensor_cores(x.device, weights.precision):
        return ops.atrous_conv(
            x, weights.values, *window, geometry.groups, epilogue, weights.shape, geometry.out_size
        )
    plans = _kept_plans(weights.shape, weights.groups, weights.precision)
    given = weights.values, None, weights.shape, weights.groups, weights.precision, weights.by_tap, plans
    cores = ops.TensorCoreWeights(*given)
    floats = x.dtype == torch.float32
    return ops.tensor_core_conv(x, cores, *window, epilogue, geometry.out_size, float_output=floats)


def _check_bias(bias: Tensor | None, geometry: ops.ConvGeometry) -> None:
    if bias is not None and bias.shape[0] != geometry.out_channels:
        raise DeepLabError(f"atrous_conv2d: bias of {bias.shape[0]}, {geometry.out_channels} wanted")


def _empty(x: Tensor, bias: Tensor | None, geometry: ops.ConvGeometry, precision: str) -> Tensor:
    """What `_convolved` returns, but for the values."""
    _check_bias(bias, geometry)
    batch, channels, height, width = geometry.out_shape
    if on_tensor_cores(x.device, precision):
        return x.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)
    return x.new_empty(batch, channels, height, width)


@conv.register_fake
def _conv_fake(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
) -> Tensor:
    check_types(x, weight, bias, precision)
    geometry = _geometry(x, tuple(weight.shape), stride, padding, rate, groups, size)
    return _empty(x, bias, geometry, precision)


@conv_packed.register_fake
def _conv_packed_fake(
    x: Tensor,
    packed: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    shape: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
    by_tap: bool,
) -> Tensor:
    check_types(x, packed, bias, precision, packed=True)
    geometry = _geometry(x, tuple(shape), stride, padding, rate, groups, size)
    return _empty(x, bias, geometry, precision)


@data_gradient.register_fake
def _data_gradient_fake(
    dy: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    size: Sequence[int],
    precision: str,
) -> Tensor:
    return dy.new_empty(dy.shape[0], weight.shape[1] * groups, *size)


@weight_gradient.register_fake
def _weight_gradient_fake(
    x: Tensor,
    dy: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    rate: Sequence[int],
    groups: int,
    kernel: Sequence[int],
    precision: str,
) -> Tensor:
    return x.new_empty(dy.shape[1], x.shape[1] // groups, *kernel)


@channel_sums.register_fake
def _channel_sums_fake(dy: Tensor) -> Tensor:
    return dy.new_empty(dy.shape[1])


def _conv_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, bias, *ctx.window, ctx.size, ctx.precision = inputs
    ctx.types = [None if t is None else t.dtype for t in (x, weight, bias)]
    ctx.save_for_backward(x, weight)


def _conv_backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
    x, weight = ctx.saved_tensors
    needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
    x_type, weight_type, bias_type = ctx.types
    window, precision = ctx.window, ctx.precision
    dx = dw = db = None
    if needs_x:
        dx = data_gradient(dy, weight, *window, list(x.shape[2:]), precision).to(x_type)
    if needs_weight:
        dw = weight_gradient(x, dy, *window, list(weight.shape[2:]), precision).to(weight_type)
    if needs_bias:
        db = channel_sums(dy).to(bias_type)
    return dx, dw, db, *[None] * 6


def _data_gradient_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    dy, weight, *ctx.window, _size, ctx.precision = inputs
    ctx.save_for_backward(dy, weight)


def _data_gradient_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    dy, weight = ctx.saved_tensors
    needs_dy, needs_weight = ctx.needs_input_grad[:2]
    d_dy = dw = None
    if needs_dy:
        d_dy = conv(g, weight, None, *ctx.window, list(dy.shape[2:]), ctx.precision)
    if needs_weight:
        dw = weight_gradient(g, dy, *ctx.window, list(weight.shape[2:]), ctx.precision)
    return d_dy, dw, *[None] * 6


def _weight_gradient_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, dy, *ctx.window, _kernel, ctx.precision = inputs
    ctx.save_for_backward(x, dy)


def _weight_gradient_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    x, dy = ctx.saved_tensors
    needs_x, needs_dy = ctx.needs_input_grad[:2]
    dx = d_dy = None
    if needs_x:
        dx = data_gradient(dy, g, *ctx.window, list(x.shape[2:]), ctx.precision)
    if needs_dy:
        d_dy = conv(x, g, None, *ctx.window, list(dy.shape[2:]), ctx.precision)
    return dx, d_dy, *[None] * 6


def _channel_sums_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.shape = inputs[0].shape


def _channel_sums_backward(ctx: Any, g: Tensor) -> Tensor:
    return g.view(1, -1, 1, 1).expand(ctx.shape)


conv.register_autograd(_conv_backward, setup_context=_conv_context)
data_gradient.register_autograd(_data_gradient_backward, setup_context=_data_gradient_context)
weight_gradient.register_autograd(_weight_gradient_backward, setup_context=_weight_gradient_context)
channel_sums.register_autograd(_channel_sums_backward, setup_context=_channel_sums_context)
register_vmap(conv, fold_convolution)
register_vmap(data_gradient, fold_data_gradient)
register_vmap(weight_gradient, fold_weight_gradient)
register_vmap(channel_sums, fold_channel_sums)
