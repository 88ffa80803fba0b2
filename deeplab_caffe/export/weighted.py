"""How PyTorch says the layers with parameters."""

from math import prod
from typing import Any

from ..layers import Layer
from . import classes
from .builder import Builder, operator
from .literals import square, text
from .nodes import Value

Values = list[Value]


@operator("BatchNorm")
def _batch_norm(build: Builder, layer: Any, x: Values) -> Values:
    axes = len(build.bottoms[0])
    if not layer.stored:
        return [build.call(f"F.batch_norm({{0}}, None, None, training=True, eps={text(layer.eps)})", *x)]
    given = {"channels": build.bottoms[0][1], "eps": float(text(layer.eps)), "affine": False}
    return [build.module(layer, classes.BATCH_NORM[axes], given, *x)]


@operator("Bias")
def _bias(build: Builder, layer: Any, x: Values) -> Values:
    along, shape = layer._place(build.bottoms)
    behind = len(build.bottoms[0]) - along - len(shape)
    if len(x) > 1:
        return [build.call(f"{{0}} + {{1}}{_more_axes(behind)}", *x)]
    return [build.module(layer, classes.BIAS, {"channels": _channels(shape), "behind": behind}, *x)]


def _more_axes(count: int) -> str:
    return f"[{', '.join(['...', *['None'] * count])}]" if count else ""


def _channels(shape: tuple[int, ...]) -> int | tuple[int, ...]:
    return shape[0] if len(shape) == 1 else shape


@operator("Convolution")
def _convolution(build: Builder, layer: Any, x: Values) -> Values:
    if layer.is_any:
        raise layer.error("bottom", "a convolution of anything but images is not exported")
    given = _window(layer, build.bottoms[0][1]) | {"bias": len(layer.blobs) > 1 or layer.name in build.behind}
    tops = []
    for value in x:
        if layer.same_pad:
            value = build.same(layer, value, layer.dilation)
        tops.append(build.module(layer, classes.CONVOLUTION, given, value))
    return tops


@operator("Deconvolution")
def _deconvolution(build: Builder, layer: Any, x: Values) -> Values:
    given = _window(layer, build.bottoms[0][1]) | {"bias": len(layer.blobs) > 1}
    return [build.module(layer, classes.DECONVOLUTION, given, value) for value in x]


def _window(layer: Any, channels: int) -> dict[str, Any]:
    window = {
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.pad,
        "dilation": layer.dilation,
    }
    given = {name: square(pair) for name, pair in window.items()}
    return {"inputs": channels, "outputs": layer.out_channels, "groups": layer.groups} | given


@operator("Embed")
def _embed(build: Builder, layer: Any, x: Values) -> Values:
    made = classes.BIASED_EMBEDDING if layer.param.bias_term else classes.EMBEDDING
    index = build.call("{0}.long()", *x, unary=True)
    top = build.module(layer, made, {"rows": layer.param.input_dim, "columns": layer.param.num_output}, index)
    top.axes += 1
    return [top]


@operator("GainChannel")
def _gain(build: Builder, layer: Any, x: Values) -> Values:
    given = {"least": layer.param.thresh, "norm_mean": layer.param.norm_mean}
    return [build.module(layer, classes.GAIN, {"channels": build.bottoms[0][1]} | given, *x)]


@operator("InnerProduct")
def _inner_product(build: Builder, layer: Any, x: Values) -> Values:
    shape, param = build.bottoms[0], layer.param
    along = param.axis % len(shape)
    flat = x[0]
    if along < len(shape) - 1:
        flat = build.call(f"{{0}}.flatten({along})", flat, axes=along + 1, unary=True)
    given = {"inputs": prod(shape[along:]), "outputs": param.num_output, "bias": param.bias_term}
    top = build.module(layer, classes.LINEAR, given, flat)
    if len(build.tops[0]) > along + 1:  # DeepLab v1's blobs have four axes
        top = build.call("{0}[..., None, None]", top, axes=len(build.tops[0]))
    return [top]


@operator("PReLU")
def _prelu(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.module(layer, classes.PRELU, {"slopes": prod(layer.blobs[0].shape)}, *x)]


@operator("Scale")
def _scale(build: Builder, layer: Any, x: Values) -> Values:
    along, shape = layer._place(build.bottoms)
    behind = len(build.bottoms[0]) - along - len(shape)
    if len(x) == 1:
        given = {"channels": _channels(shape), "bias": layer.param.bias_term, "behind": behind}
        return [build.module(layer, classes.SCALE, given, *x)]
    top = build.call(f"{{0}} * {{1}}{_more_axes(behind)}", *x)
    if layer.param.bias_term:
        top = build.module(layer, classes.BIAS, {"channels": _channels(shape), "behind": behind}, top)
    return [top]
