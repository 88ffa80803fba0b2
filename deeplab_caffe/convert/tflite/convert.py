"""A .tflite file to a folder with deploy.prototxt and weights.caffemodel."""

import os
from dataclasses import dataclass
from math import inf, isfinite

from ...engine.cost import analyse
from ...errors import DeepLabError
from ...formats.prototxt import read_net
from ...formats.records import LayerBlobs
from ...formats.tflite import TFLiteGraph, read_tflite
from ...generate.net_text import NetText, Word
from ...types import Shape
from ..folder import write_folder
from . import windows
from .net import INPUT, TFLiteNet
from .operators import OPERATORS

assert windows  # registers its operators
# Of the images that the first operators take: TensorFlow's are between -1 and 1, or still bytes.
_NORMALISED: dict[str, object] = {"mean_value": 127.5, "scale": 1 / 127.5, "channel_order": Word("RGB")}
_BYTES: dict[str, object] = {"channel_order": Word("RGB")}
_ARITHMETIC = ("CAST", "MUL", "SUB", "DIV", "ADD")
_QUANTISED = ("int4", "int8", "uint8", "int16")


@dataclass(frozen=True)
class ConvertedGraph:
    """The net's text, its layers with parameters, and the operators that have no layer."""

    prototxt: str
    layers: list[LayerBlobs]
    left_out: list[str]


def convert_tflite(source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> ConvertedGraph:
    """Reads a TFLite file and writes its net to `folder`, the weights first, each file whole or not at all.

    Raises DeepLabError: the file is damaged or quantised, an operator has no layer (which, and its tensor).
    """
    converted = translate(read_tflite(source))
    write_folder(folder, converted.prototxt, converted.layers)
    return converted


def translate(graph: TFLiteGraph) -> ConvertedGraph:
    """The net of a graph. Sizes are the graph's; where one is another blob's, the net runs at any size.

    Every blob's shape is compared with what the graph says. Raises DeepLabError.
    """
    number, (_, height, width, channels) = _image(graph)
    net = NetText(_comment(graph, (height, width)), name=_net_name(graph.source))
    net.layer(
        INPUT,
        "Input",
        (),
        INPUT,
        input_param={"shape": {"dim": [1, channels, height, width]}},
        transform_param=_preprocessing(graph, number),
        image_data_param={"new_height": height, "new_width": width},
    )
    built = TFLiteNet(graph, net)
    built.made(number, INPUT)
    for operator in graph.operators:
        for tensor in (graph.tensors[i] for i in operator.inputs if i >= 0):
            if tensor.dtype in _QUANTISED and operator.kind != "CAST":
                raise DeepLabError(
                    f"{graph.source}: tensor '{tensor.shown}': {tensor.dtype}: a quantised file; only those "
                    "of float32 and float16 are read"
                )
        if operator.kind not in OPERATORS:
            raise built.fail(operator, "no layer does that")
        OPERATORS[operator.kind](built, operator)
    _check(built, str(net))
    return ConvertedGraph(str(net), built.layers, built.left_out)


def _image(graph: TFLiteGraph) -> tuple[int, Shape]:
    """The input and its shape. DeepLabError if that is no image of a known size."""
    names = ", ".join(f"'{graph.tensors[i].shown}'" for i in graph.inputs if i >= 0) or "none"
    if len(graph.inputs) != 1 or graph.inputs[0] < 0:
        raise DeepLabError(f"{graph.source}: one input wanted, it has {names}")
    tensor = graph.tensors[graph.inputs[0]]
    if len(tensor.shape) != 4 or tensor.shape[3] not in (1, 3) or 0 in tensor.shape or not tensor.fixed:
        sizes = list(tensor.shape) if tensor.fixed else "of any size"
        raise DeepLabError(
            f"{graph.source}: input {names}: {sizes} given, an image (1, H, W, 3) of one size wanted"
        )
    return graph.inputs[0], tensor.shape


def _preprocessing(graph: TFLiteGraph, number: int) -> dict[str, object]:
    """transform_param of the input: what the file's metadata say, else what TensorFlow's DeepLab has."""
    if _takes_bytes(graph, number):
        return _BYTES
    given = graph.normalization
    if given is None:
        return _NORMALISED
    counts = (1, graph.tensors[number].shape[3])
    fit = len(given.mean) in counts and len(given.std) in counts
    if not fit or not all(map(isfinite, given.mean)) or not all(0 < std < inf for std in given.std):
        raise DeepLabError(
            f"{graph.source}: metadata: mean {list(given.mean)}, std {list(given.std)}: one number for each "
            "channel wanted, or one for all"
        )
    return {"mean_value": list(given.mean), "std_value": list(given.std), "channel_order": Word("RGB")}


def _takes_bytes(graph: TFLiteGraph, number: int) -> bool:
    """Whether the graph itself scales the image's bytes."""
    if graph.tensors[number].dtype == "uint8":
        return True
    first = [operator.kind for operator in graph.operators if number in operator.inputs]
    return bool(first) and all(kind in _ARITHMETIC for kind in first)


def _net_name(source: str) -> str:
    stem = os.path.splitext(os.path.basename(source))[0]
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in stem)


def _comment(graph: TFLiteGraph, size: tuple[int, int]) -> str:
    return (
        f"{_net_name(graph.source)}, converted from TensorFlow Lite ({len(graph.operators)} operators).\n\n"
        f"Images are resized to {size[1]}x{size[0]}, as the TFLite file wants them, and the scores back; "
        "without image_data_param each image keeps its own size."
    )


def _check(built: TFLiteNet, prototxt: str) -> None:
    """Compares the shapes of all blobs and parameters with the graph's."""
    graph = built.graph
    cost = analyse(read_net(graph.source, text=prototxt))
    shapes = {INPUT: tuple(cost.inputs.get(INPUT, ()))}
    wanted = {}
    for layer in cost.layers:
        shapes |= layer.tops
        wanted[layer.name] = layer.parameter_shapes
    for number, blob in built.blobs.items():
        if number in built.unchecked:
            continue
        batch, height, width, channels = built.shape(number)
        if shapes[blob] != (batch, channels, height, width):
            raise DeepLabError(
                f"{graph.source}: tensor '{graph.tensors[number].shown}': shape "
                f"{list(graph.tensors[number].shape)} in the file, {list(shapes[blob])} (N, C, H, W) computed"
            )
    for filled in built.layers:
        given = [tuple(blob.shape) for blob in filled.blobs]
        if given != wanted[filled.name]:
            raise DeepLabError(
                f"{graph.source}: layer '{filled.name}': parameters of shapes {given}, "
                f"{wanted[filled.name]} wanted"
            )
