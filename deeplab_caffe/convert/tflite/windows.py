"""Convolutions and poolings, with the rates that TFLite writes as dilation or as a change to the batch."""

from dataclasses import dataclass

from ...formats.tflite import TFLiteOperator
from ...generate.net_text import Word
from ...types import Pair
from .net import TFLiteNet
from .operators import operator

SAME, VALID = 0, 1
# What may stand between a convolution and the BATCH_TO_SPACE_ND behind it.
_POINTWISE = ("ADD", "MUL", "RELU", "RELU6")
_MOST_POINTWISE = 4  # a hostile file may have operators that read what they make


@dataclass(frozen=True)
class _Batched:
    """What SPACE_TO_BATCH_ND did: pixels `rates` apart went into images of their own, after padding."""

    rates: Pair
    pads: tuple[Pair, Pair]


@operator("SPACE_TO_BATCH_ND")
def _space_to_batch(net: TFLiteNet, op: TFLiteOperator) -> None:
    """No layer: the convolution behind it gets the rate."""
    reader = net.only_reader(op.outputs[0])
    if reader is None or reader.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        raise net.fail(op, "a convolution alone behind it wanted")
    net.unchecked.add(op.outputs[0])
    net.made(op.outputs[0], net.blob(op))


@operator("BATCH_TO_SPACE_ND")
def _batch_to_space(net: TFLiteNet, op: TFLiteOperator) -> None:
    """No layer: see _space_to_batch."""
    if op.inputs[:1] and op.inputs[0] not in net.unchecked:
        raise net.fail(op, "no SPACE_TO_BATCH_ND in front of it")
    net.made(op.outputs[0], net.blob(op))


def _batched(net: TFLiteNet, op: TFLiteOperator) -> _Batched | None:
    """What the operators around a convolution mean for it; None where they are not there."""
    before = net.maker(net.tensor(op, 0))
    if before is None or before.kind != "SPACE_TO_BATCH_ND":
        return None
    rates, pads = net.integers(before, 1), net.integers(before, 2)
    inside = [op.outputs[0]]
    after = net.only_reader(inside[-1])
    while after is not None and after.kind in _POINTWISE and len(inside) <= _MOST_POINTWISE:
        inside.append(after.outputs[0])
        after = net.only_reader(inside[-1])
    if after is None or after.kind != "BATCH_TO_SPACE_ND" or net.integers(after, 1) != rates:
        raise net.fail(op, "no BATCH_TO_SPACE_ND behind it that undoes the SPACE_TO_BATCH_ND")
    crops = net.integers(after, 2)
    if len(rates) != 2 or len(pads) != 4 or len(crops) != 4 or min(rates) < 1:
        raise net.fail(op, f"rates {rates}, paddings {pads}, crops {crops}: two axes wanted")
    net.unchecked.update(inside)
    top, bottom, left, right = (pad - crop for pad, crop in zip(pads, crops, strict=True))
    return _Batched((rates[0], rates[1]), ((top, bottom), (left, right)))


@operator("CONV_2D", "DEPTHWISE_CONV_2D")
def _convolution(net: TFLiteNet, op: TFLiteOperator) -> None:
    bottom, weights = net.blob(op), net.values(op, 1)
    channels = net.shape(op.inputs[0])[-1]
    if weights.ndim != 4:
        raise net.fail(op, f"weights of shape {list(weights.shape)}, four axes wanted")
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    # (out, height, width, in), depthwise (1, height, width, channels)
    weights = weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    outputs, inputs = weights.shape[:2]
    if not inputs or channels % inputs:
        raise net.fail(op, f"weights of {inputs} channels for {channels} in '{bottom}'")
    blobs = [weights]
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        blobs.append(net.values(op, 2))
    stride = net.option(op, "StrideH"), net.option(op, "StrideW")
    rates = net.option(op, "DilationHFactor"), net.option(op, "DilationWFactor")
    same = net.option(op, "Padding") == SAME
    kernel = weights.shape[2], weights.shape[3]
    fields: dict[str, object] = {"num_output": outputs, **_both("kernel", kernel, "kernel_size")}
    if batched := _batched(net, op):
        if (stride, rates) != ((1, 1), (1, 1)) or (same and kernel != (1, 1)):
            raise net.fail(op, "stride 1, rate 1 and VALID padding wanted inside SPACE_TO_BATCH_ND")
        rates = batched.rates
        bottom, pad = _explicit_padding(net, op, bottom, batched.pads)
        fields |= _both("pad", pad)
    elif same and stride == (1, 1) and all(size % 2 for size in kernel):
        fields |= _both("pad", (rates[0] * (kernel[0] // 2), rates[1] * (kernel[1] // 2)))
    elif same:
        fields["same_pad"] = True
    if stride != (1, 1):
        fields |= _both("stride", stride)
    if rates != (1, 1):
        fields["dilation"] = rates[0] if rates[0] == rates[1] else list(rates)
    if channels != inputs:
        fields["group"] = channels // inputs
    if len(blobs) == 1:
        fields["bias_term"] = False
    scope, _, variable = net.graph.tensors[op.inputs[1]].name.rpartition("/")
    name = scope if variable in ("weights", "depthwise_weights") else ""
    net.layer(op, "Convolution", bottom, blobs, name, convolution_param=fields)


def _both(field: str, values: Pair, single: str = "") -> dict[str, object]:
    """A field for rows and columns, once where they are equal; nothing for a padding of 0."""
    if values[0] == values[1]:
        return {single or field: values[0]} if values[0] or field != "pad" else {}
    return {f"{field}_h": values[0], f"{field}_w": values[1]}


def _explicit_padding(
    net: TFLiteNet, op: TFLiteOperator, bottom: str, pads: tuple[Pair, Pair]
) -> tuple[str, Pair]:
    """The blob to convolve, and the padding to do so with; a Padding layer where both ends differ."""
    if any(min(pad) < 0 for pad in pads):
        raise net.fail(op, f"paddings {pads} less than what is cropped")
    if all(first == last for first, last in pads):
        return bottom, (pads[0][0], pads[1][0])
    if pads[0] != pads[1]:
        raise net.fail(op, f"paddings {pads}: the same for rows and columns wanted")
    parameters = {"pad_beg": pads[0][0], "pad_end": pads[0][1]}
    name = net.name(f"{net.graph.tensors[op.outputs[0]].name}/pad", op)
    return net.net.layer(name, "Padding", bottom, padding_param=parameters), (0, 0)


@operator("MEAN")
def _mean(net: TFLiteNet, op: TFLiteOperator) -> None:
    axes = sorted(axis % 4 for axis in net.integers(op, 1))
    if axes != [1, 2] or len(net.graph.tensors[op.inputs[0]].shape) != 4:
        raise net.fail(op, f"over axes {axes}, rows and columns (1, 2) wanted")
    net.layer(op, "Pooling", net.blob(op), pooling_param=_whole("AVE"))


@operator("AVERAGE_POOL_2D", "MAX_POOL_2D")
def _pooling(net: TFLiteNet, op: TFLiteOperator) -> None:
    bottom, method = net.blob(op), "AVE" if op.kind == "AVERAGE_POOL_2D" else "MAX"
    kernel = net.option(op, "FilterHeight"), net.option(op, "FilterWidth")
    stride = net.option(op, "StrideH"), net.option(op, "StrideW")
    if kernel == net.size(op.inputs[0]) and net.size(op.outputs[0]) == (1, 1):
        net.layer(op, "Pooling", bottom, pooling_param=_whole(method))
        return
    same = net.option(op, "Padding") == SAME
    if same and method == "AVE" and kernel != (1, 1):
        raise net.fail(op, "SAME padding of an average: Caffe's would count the padding")
    fields: dict[str, object] = {"pool": Word(method), **_both("kernel", kernel, "kernel_size")}
    fields |= _both("stride", stride)
    fields |= {"same_pad": True} if same and method == "MAX" else {"round_mode": Word("FLOOR")}
    net.layer(op, "Pooling", bottom, pooling_param=fields)


def _whole(method: str) -> dict[str, object]:
    return {"pool": Word(method), "global_pooling": True}
