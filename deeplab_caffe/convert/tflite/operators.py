"""The operators that have a layer: a function for each, found by the operator's name."""

from collections.abc import Callable

import numpy as np

from ...formats.tflite import TFLiteOperator
from ...generate.net_text import Word
from ...types import Floats
from .net import TFLiteNet

Translate = Callable[[TFLiteNet, TFLiteOperator], None]

OPERATORS: dict[str, Translate] = {}


def operator(*kinds: str) -> Callable[[Translate], Translate]:
    """Function decorator: the function translates operators of these kinds. ValueError: one is taken."""

    def add(function: Translate) -> Translate:
        for kind in kinds:
            if kind in OPERATORS:
                raise ValueError(f"operator {kind} is registered twice")
            OPERATORS[kind] = function
        return function

    return add


@operator("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "LOGISTIC", "HARD_SWISH", "SOFTMAX")
def _function(net: TFLiteNet, op: TFLiteOperator) -> None:
    if op.kind == "SOFTMAX" and net.option(op, "Beta") != 1:
        raise net.fail(op, f"beta {net.option(op, 'Beta')} given, 1 wanted")
    if op.kind in ("RELU6", "RELU_N1_TO_1"):
        low, high = (0, 6) if op.kind == "RELU6" else (-1, 1)
        net.layer(op, "Clip", net.blob(op), clip_param={"min": low, "max": high})
        return
    layers = {"RELU": "ReLU", "TANH": "TanH", "LOGISTIC": "Sigmoid", "HARD_SWISH": "HardSwish"}
    net.layer(op, layers.get(op.kind, "Softmax"), net.blob(op))


@operator("ADD", "SUB", "MUL", "DIV")
def _arithmetic(net: TFLiteNet, op: TFLiteOperator) -> None:
    if net.is_constant(op, 1):
        _with_constant(net, op, net.blob(op, 0), net.values(op, 1))
    elif net.is_constant(op, 0):
        if op.kind in ("SUB", "DIV"):
            raise net.fail(op, "a constant in front has no layer")
        _with_constant(net, op, net.blob(op, 1), net.values(op, 0))
    elif op.kind == "MUL" and (1, 1) in (sizes := [net.size(net.tensor(op, i)) for i in (0, 1)]):
        gate = sizes.index((1, 1))
        if net.shape(op.inputs[0])[3] != net.shape(op.inputs[1])[3]:
            raise net.fail(op, "as many channels in both wanted")
        flat = net.net.layer(net.name(f"{net.blob(op, gate)}/flat", op), "Flatten", net.blob(op, gate))
        net.layer(op, "Scale", (net.blob(op, 1 - gate), flat), scale_param={"axis": 0})
    else:
        if op.kind == "DIV":
            raise net.fail(op, "a quotient of two blobs has no layer")
        parameters: dict[str, object] = {"operation": Word("PROD" if op.kind == "MUL" else "SUM")}
        if op.kind == "SUB":
            parameters["coeff"] = [1, -1]
        net.layer(op, "Eltwise", (net.blob(op, 0), net.blob(op, 1)), eltwise_param=parameters)


def _with_constant(net: TFLiteNet, op: TFLiteOperator, bottom: str, values: Floats) -> None:
    """One number for all, or one for each channel."""
    channels = net.shape(op.outputs[0])[-1]
    if values.size == 1:
        number = float(values.flatten()[0])
        with np.errstate(over="ignore"):  # of the least numbers: infinite
            inverse = float(np.float32(1) / np.float32(number)) if number else float("inf")
        field, value = {
            "ADD": ("shift", number),
            "SUB": ("shift", -number),
            "MUL": ("scale", number),
            "DIV": ("scale", inverse),
        }[op.kind]
        net.layer(op, "Power", bottom, power_param={field: value})
    elif values.size == values.shape[-1] == channels:
        vector = values.flatten()
        if op.kind in ("MUL", "DIV"):
            net.layer(op, "Scale", bottom, [vector if op.kind == "MUL" else np.float32(1) / vector])
        else:
            net.layer(op, "Bias", bottom, [vector if op.kind == "ADD" else -vector])
    else:
        raise net.fail(op, f"a constant of shape {list(values.shape)} for {channels} channels")


@operator("CONCATENATION")
def _concatenation(net: TFLiteNet, op: TFLiteOperator) -> None:
    axis, rank = net.option(op, "Axis"), len(net.graph.tensors[op.outputs[0]].shape)
    if rank != 4 or axis not in (3, -1):
        raise net.fail(op, f"along axis {axis} of {rank}, the channels wanted")
    net.layer(op, "Concat", [net.blob(op, i) for i in range(len(op.inputs))])


@operator("DEQUANTIZE", "QUANTIZE")
def _dequantize(net: TFLiteNet, op: TFLiteOperator) -> None:
    """float16 constants go through the former."""
    if op.kind == "QUANTIZE" or not net.same_constant(op):
        raise net.fail(op, "quantised values; only float32 and float16 files are read")


@operator("CAST")
def _cast(net: TFLiteNet, op: TFLiteOperator) -> None:
    """Of an image's bytes, or of the labels at the end: blobs hold floats anyway."""
    if not net.same_constant(op):
        net.unchecked |= {op.outputs[0]} if op.inputs[0] in net.unchecked else set()
        net.made(op.outputs[0], net.blob(op))


@operator("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(net: TFLiteNet, op: TFLiteOperator) -> None:
    """Where nothing moves: axes of 1 come or go."""
    bottom, (before, after) = net.blob(op), (net.shape(number) for number in (op.inputs[0], op.outputs[0]))
    if op.inputs[0] in net.unchecked:
        net.unchecked.add(op.outputs[0])
    elif before != after:
        raise net.fail(op, f"from {list(before)} to {list(after)} has no layer")
    net.made(op.outputs[0], bottom)


@operator("ARG_MAX")
def _arg_max(net: TFLiteNet, op: TFLiteOperator) -> None:
    """Left out: who reads scores chooses the label."""
    rank = len(net.graph.tensors[op.inputs[0]].shape) if op.inputs else 0
    if net.integers(op, 1) not in ([rank - 1], [-1]):
        raise net.fail(op, "over the channels wanted")
    net.unchecked.add(op.outputs[0])
    net.left_out.append("ARG_MAX (the net ends with scores)")
    net.made(op.outputs[0], net.blob(op))


@operator("LEAKY_RELU")
def _leaky_relu(net: TFLiteNet, op: TFLiteOperator) -> None:
    net.layer(op, "ReLU", net.blob(op), relu_param={"negative_slope": net.option(op, "Alpha")})


@operator("PAD", "PADV2")
def _pad(net: TFLiteNet, op: TFLiteOperator) -> None:
    pads = net.integers(op, 1)
    if not any(pads):
        net.made(op.outputs[0], net.blob(op))
        return
    if op.kind == "PADV2" and net.values(op, 2).any():
        raise net.fail(op, "with other values than 0")
    if len(pads) != 8 or any(pads[:2] + pads[6:]) or pads[2:4] != pads[4:6] or min(pads) < 0:
        raise net.fail(op, f"paddings {pads}: the same for rows and columns wanted, no others")
    net.layer(op, "Padding", net.blob(op), padding_param={"pad_beg": pads[2], "pad_end": pads[3]})


@operator("RESIZE_BILINEAR")
def _resize(net: TFLiteNet, op: TFLiteOperator) -> None:
    """Interp: to the size of another blob, where one has it, so that the net runs at any size."""
    bottom = net.blob(op)
    before, after = net.size(op.inputs[0]), net.size(op.outputs[0])
    if net.is_constant(op, 1) and net.integers(op, 1) != list(after):
        raise net.fail(op, f"to {net.integers(op, 1)}, its output is {list(after)}")
    if before == after:
        net.made(op.outputs[0], bottom)
        return
    corners, centres = net.option(op, "AlignCorners"), net.option(op, "HalfPixelCenters")
    # A map of one pixel is the same everywhere, whatever is aligned.
    if not corners and not centres and before != (1, 1):
        raise net.fail(op, "neither align_corners nor half_pixel_centers: Interp cannot do that")
    like = net.blob_of_size(after)
    parameters: dict[str, object] = {} if like else {"height": after[0], "width": after[1]}
    if centres and before != (1, 1):
        parameters["align_corners"] = False
    net.layer(op, "Interp", (bottom, like) if like else bottom, interp_param=parameters)
