"""How PyTorch says the layers without parameters."""

from typing import Any

from ..layers import Layer
from .builder import Builder, operator, refused
from .literals import square, text
from .nodes import Value

Values = list[Value]


@operator("AbsVal")
def _absolute(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("{0}.abs()", *x, unary=True)]


@operator("ArgMax")
def _argmax(build: Builder, layer: Any, x: Values) -> Values:
    param, both = layer.param, layer.param.out_max_val
    top = build.tops[0]
    flat = build.call("{0}.flatten(1)", x[0], axes=2, unary=True) if layer.flat else x[0]
    dim = 1 if layer.flat or not param.HasField("axis") else param.axis % len(build.bottoms[0])
    if not both and param.top_k == 1:
        found = build.call(f"argmax({{0}}, {dim})", flat)
    elif not both or not (layer.flat or layer.definition.dialect.argmax_appends_values):
        found = build.call(f"largest({{0}}, {param.top_k}, {dim})[{int(both)}]", flat)
    else:
        found = build.call(f"torch.cat(largest({{0}}, {param.top_k}, {dim}), 1)", flat)
    if layer.flat:
        sizes = ", ".join(["-1", *map(str, top[1:])])
        found = build.call(f"{{0}}.view({sizes})", found, axes=len(top))
    return [found]


@operator("BatchReindex")
def _reindex(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("{0}.index_select(0, {1}.long())", *x)]


@operator("BNLL")
def _bnll(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("F.softplus({0}, threshold=50)", *x, unary=True)]


@operator("ChannelAggregator")
def _aggregate(build: Builder, layer: Any, x: Values) -> Values:
    groups = text(tuple(map(tuple, layer.groups)))
    return [build.call(f"torch.stack([{{0}}[:, list(group)].logsumexp(1) for group in {groups}], 1)", *x)]


@operator("Clip")
def _clip(build: Builder, layer: Any, x: Values) -> Values:
    if (layer.low, layer.high) == (0, 6):
        return [build.call("F.relu6({0})", *x, unary=True)]
    return [build.call(f"{{0}}.clamp({text(layer.low)}, {text(layer.high)})", *x, unary=True)]


@operator("Concat")
def _concat(build: Builder, layer: Any, x: Values) -> Values:
    parts = ", ".join(f"{{{i}}}" for i in range(len(x)))
    return [build.call(f"torch.cat(({parts}{',' if len(x) == 1 else ''}), {layer.number})", *x)]


@operator("Crop")
def _crop(build: Builder, layer: Any, x: Values) -> Values:
    _, offsets = layer._size_and_offsets(build.bottoms)
    axis = layer.definition.param.crop_param.axis % len(offsets)
    return [build.call(f"crop({{0}}, {{1}}, {axis}, {text(tuple(offsets[axis:]))})", *x)]


@operator("Dropout")
def _dropout(build: Builder, layer: Any, x: Values) -> Values:
    return [build.call(f"F.dropout({{0}}, {text(layer.ratio)}, self.training)", *x, unary=True)]


@operator("Eltwise")
def _eltwise(build: Builder, layer: Any, x: Values) -> Values:
    if layer.operation == "prod":
        return [build.call(" * ".join(f"{{{i}}}" for i in range(len(x))), *x)]
    if layer.operation == "max":
        said = "{0}"
        for i in range(1, len(x)):
            said = f"torch.maximum({said}, {{{i}}})"
        return [build.call(said, *x)]
    said = ""
    for i, factor in enumerate(layer.coefficients):
        sign = ("-" if factor < 0 else "") if not said else (" - " if factor < 0 else " + ")
        said += sign + (f"{{{i}}}" if abs(factor) == 1 else f"{text(abs(factor))} * {{{i}}}")
    return [build.call(said, *x)]


@operator("ELU")
def _elu(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call(f"F.elu({{0}}, {text(layer.definition.param.elu_param.alpha)})", *x, unary=True)]


@operator("Exp")
def _exp(build: Builder, layer: Any, x: Values) -> Values:
    inner, factor = layer.inner.item(), layer.factor
    said = "{0}.exp()" if inner == 1 else f"({text(inner)} * {{0}}).exp()"
    return [build.call(said if factor == 1 else f"{text(factor)} * {said}", *x, unary=True)]


@operator("Flatten")
def _flatten(build: Builder, layer: Layer, x: Values) -> Values:
    if layer.definition.dialect.four_axes:
        return [build.call("{0}.flatten(1)[..., None, None]", *x, axes=4)]
    param = layer.definition.param.flatten_param
    end = "" if param.end_axis == -1 else f", {param.end_axis}"
    return [build.call(f"{{0}}.flatten({param.axis}{end})", *x, axes=len(build.tops[0]), unary=True)]


@operator("HardSigmoid")
def _hard_sigmoid(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("F.hardsigmoid({0})", *x, unary=True)]


@operator("HardSwish")
def _hard_swish(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("F.hardswish({0})", *x, unary=True)]


@operator("Im2col")
def _im2col(build: Builder, layer: Any, x: Values) -> Values:
    window = ", ".join(map(text, (layer.kernel, layer.stride, layer.pad, layer.dilation)))
    return [build.call(f"unfold({{0}}, {window})", *x)]


@operator("Interp")
def _interp(build: Builder, layer: Any, x: Values) -> Values:
    corners = ", align_corners=False" if layer.half_pixel else ""
    begin, end = layer.crop
    first = x[0]
    if begin or end:
        first = build.call(f"F.pad({{0}}, {text((-begin, -end) * 2)})", first)
    if layer.like:
        return [build.call(f"resize({{0}}, {{1}}.shape[2:]{corners})", first, x[1])]
    param = layer.param
    if layer.sized:
        return [build.call(f"resize({{0}}, ({param.height}, {param.width}){corners})", first)]
    by = f", {param.zoom_factor}" if param.zoom_factor != 1 else ""
    shrink = f", shrink={param.shrink_factor}" if param.shrink_factor != 1 else ""
    return [build.call(f"zoom({{0}}{by}{shrink}{corners})", first)]


@operator("Log")
def _log(build: Builder, layer: Any, x: Values) -> Values:
    scale, shift, factor = layer.param.scale, layer.param.shift, layer.factor.item()
    said = _affine(scale, shift)
    said = "{0}.log()" if said == "{0}" else f"({said}).log()"
    return [build.call(said if factor == 1 else f"{text(factor)} * {said}", *x, unary=True)]


@operator("LRN")
def _lrn(build: Builder, layer: Any, x: Values) -> Values:
    param, size = layer.param, layer.param.local_size
    alpha, beta = text(param.alpha), text(param.beta)
    if param.norm_region == param.ACROSS_CHANNELS:
        return [build.call(f"F.local_response_norm({{0}}, {size}, {alpha}, {beta}, {text(param.k)})", *x)]
    average = f"F.avg_pool2d({{0}} * {{0}}, {size}, 1, {size // 2})"
    return [build.call(f"{{0}} * (1 + {alpha} * {average}) ** -{beta}", *x)]


@operator("MVN")
def _mvn(build: Builder, layer: Layer, x: Values) -> Values:
    param = layer.definition.param.mvn_param
    if len(build.bottoms[0]) < 3:
        raise refused(layer, "a plane of one value has no variance")
    given = f"{param.across_channels}, {param.normalize_variance}, {text(param.eps)}"
    return [build.call(f"normalize({{0}}, {given})", *x)]


@operator("Padding")
def _padding(build: Builder, layer: Any, x: Values) -> Values:
    return [build.call(f"F.pad({{0}}, {text((layer.begin, layer.end) * 2)})", *x)]


@operator("Pooling")
def _pooling(build: Builder, layer: Any, x: Values) -> Values:
    param = layer.param
    if param.global_pooling:
        if layer.method == "STOCHASTIC":
            raise refused(layer, "global STOCHASTIC pooling")
        function = "amax" if layer.method == "MAX" else "mean"
        return [build.call(f"{{0}}.{function}((2, 3), keepdim=True)", *x)]
    kernel, stride, pad = (text(square(pair)) for pair in (layer.kernel, layer.stride, layer.pad))
    if param.same_pad:
        padded = build.same(layer, x[0], value=', value=float("-inf")')
        return [build.call(f"F.max_pool2d({{0}}, {kernel}, {stride})", padded)]
    if any(2 * pad > kernel for pad, kernel in zip(layer.pad, layer.kernel, strict=True)):
        raise refused(layer, "a pad of more than half the kernel, which PyTorch's pooling has not")
    ceil = param.round_mode == param.CEIL and layer.stride != (1, 1)
    window = f"{kernel}, {stride}" + (f", {pad}" if any(layer.pad) else "") + (", ceil_mode=True" * ceil)
    if layer.method == "STOCHASTIC":
        average = "F.avg_pool2d({}, " + window + ")"
        squares = average.format("{0} * {0}")
        return [build.call(f"{squares} / ({average.format('{0}')} + 1e-38)", *x)]
    function = "max_pool2d" if layer.method == "MAX" else "avg_pool2d"
    return [build.call(f"F.{function}({{0}}, {window})", *x)]


@operator("Power")
def _power(build: Builder, layer: Layer, x: Values) -> Values:
    param = layer.definition.param.power_param
    if param.power == 0:
        return [build.call("torch.ones_like({0})", *x, unary=True)]
    said = _affine(param.scale, param.shift)
    if param.power != 1:
        said = f"{said if said == '{0}' else f'({said})'} ** {text(param.power)}"
    return [build.call(said, *x, unary=True)] if said != "{0}" else x


def _affine(scale: float, shift: float) -> str:
    said = "{0}" if scale == 1 else f"{text(scale)} * {{0}}"
    return said if shift == 0 else f"{said} {'-' if shift < 0 else '+'} {text(abs(shift))}"


@operator("Reduction")
def _reduction(build: Builder, layer: Any, x: Values) -> Values:
    param = layer.definition.param.reduction_param
    kind, along = param.ReductionOp.Name(param.operation), layer._along(len(build.bottoms[0]))
    said = f"{{0}}.flatten({along})" if along < len(build.bottoms[0]) - 1 else "{0}"
    said += {"SUM": ".sum(-1)", "ASUM": ".abs().sum(-1)", "SUMSQ": ".square().sum(-1)", "MEAN": ".mean(-1)"}[
        kind
    ]
    return [build.call(said if param.coeff == 1 else f"{text(param.coeff)} * {said}", *x, axes=along)]


@operator("ReLU")
def _relu(build: Builder, layer: Any, x: Values) -> Values:
    if layer.slope:
        return [build.call(f"F.leaky_relu({{0}}, {text(layer.slope)})", *x, unary=True)]
    return [build.call("F.relu({0})", *x, unary=True)]


@operator("Reshape")
def _reshape(build: Builder, layer: Layer, x: Values) -> Values:
    param, shape = layer.definition.param.reshape_param, build.bottoms[0]
    start = param.axis if param.axis >= 0 else len(shape) + param.axis + 1
    end = len(shape) if param.num_axes == -1 else start + param.num_axes
    kept = [f"{{0}}.shape[{i}]" for i in range(len(shape))]
    wanted = [kept[start + i] if size == 0 else str(size) for i, size in enumerate(param.shape.dim)]
    sizes = ", ".join([*kept[:start], *wanted, *kept[end:]])
    return [build.call(f"{{0}}.reshape({sizes})", *x, axes=len(build.tops[0]))]


@operator("Sigmoid")
def _sigmoid(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("{0}.sigmoid()", *x, unary=True)]


@operator("Slice")
def _slice(build: Builder, layer: Any, x: Values) -> Values:
    parts = len(build.tops)
    if parts == 1:
        return x
    if not layer.points:
        return build.split(f"{{0}}.chunk({parts}, {layer.number})", x[0], parts)
    return build.split(f"{{0}}.tensor_split({text(tuple(layer.points))}, {layer.number})", x[0], parts)


@operator("Softmax")
def _softmax(build: Builder, layer: Any, x: Values) -> Values:
    return [build.call(f"{{0}}.softmax({layer.definition.param.softmax_param.axis})", *x, unary=True)]


@operator("SpatialProduct")
def _product(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("{0} * {1}", *x)]


@operator("Split")
def _split(build: Builder, layer: Layer, x: Values) -> Values:
    return x * len(build.tops)


@operator("TanH")
def _tanh(build: Builder, layer: Layer, x: Values) -> Values:
    return [build.call("{0}.tanh()", *x, unary=True)]


@operator("Threshold")
def _threshold(build: Builder, layer: Layer, x: Values) -> Values:
    limit = layer.definition.param.threshold_param.threshold
    return [build.call(f"({{0}} > {text(limit)}).float()", *x)]


@operator("Tile")
def _tile(build: Builder, layer: Any, x: Values) -> Values:
    tiles, along = layer.definition.param.tile_param.tiles, layer._along(len(build.bottoms[0]))
    times = [1] * len(build.bottoms[0])
    times[along] = tiles
    return [build.call(f"{{0}}.repeat({', '.join(map(str, times))})", *x)]
