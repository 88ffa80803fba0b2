"""caffe.draw: a net as a picture, its layers and blobs as boxes.

graphviz lays it out where its program `dot` is installed; else the boxes are placed here (draw_layout.py).
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import DeepLabError
from ..formats import caffe_pb2
from ..formats.files import replacing
from ..formats.upgrade import upgrade
from .draw_layout import layout

WITH_WEIGHTS = ("Convolution", "Deconvolution", "InnerProduct")
COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
OTHER_LAYER, IN_PLACE, BLOB = "#6495ED", "#90EE90", "#E0E0E0"
TEXT_FORMATS = ("dot", "gv", "raw")
PICTURES = ("eps", "jpeg", "jpg", "pdf", "png", "ps", "svg")


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the ways to pool, by their numbers."""
    values = caffe_pb2.PoolingParameter.PoolMethod.DESCRIPTOR.values
    return {value.number: value.name for value in values}


def get_edge_label(layer: Any) -> str:
    """What is written at a layer's tops: the batch's size, the channels, or nothing ('""')."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    return str(layer.inner_product_param.num_output) if layer.type == "InnerProduct" else '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """The learning rate factors of a layer's weights and biases. DeepLabError for types without."""
    if layer.type not in WITH_WEIGHTS:
        raise DeepLabError(f"{layer.name}: {layer.type} layers have no learning rate multiplier")
    if len(layer.param) > 2:
        raise DeepLabError(f"{layer.name}: param is there {len(layer.param)} times, twice at most is meant")
    weights, bias = [*(param.lr_mult for param in layer.param), 1.0, 1.0][:2]
    return weights, bias


def _lines(layer: Any, display_lrm: bool) -> Iterator[str]:
    """What a layer's box says, line by line."""
    yield layer.name
    pool = f" {get_pooling_types_dict()[layer.pooling_param.pool]}" if layer.type == "Pooling" else ""
    yield f"({layer.type}{pool})"
    sizes: tuple[int, ...] = ()
    if layer.type == "Pooling":
        window = layer.pooling_param
        sizes = window.kernel_size, window.stride, window.pad
    elif layer.type in ("Convolution", "Deconvolution"):
        window = layer.convolution_param
        pairs = ((window.kernel_size, 1), (window.stride, 1), (window.pad, 0))
        sizes = tuple(values[0] if values else default for values, default in pairs)
    for name, size in zip(("kernel size", "stride", "pad"), sizes, strict=False):
        yield f"{name}: {size}"
    if display_lrm and layer.type in WITH_WEIGHTS and any(get_layer_lr_mult(layer)):
        yield "lr mult: {:.1f}, {:.1f}".format(*get_layer_lr_mult(layer))


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """What a layer's box says, in quotes: lines where the net goes to the right, else one line."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    return f'"{separator.join(_lines(layer, display_lrm))}"'


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return COLOURS.get(layertype, OTHER_LAYER)


@dataclass(frozen=True)
class _Box:
    label: str
    colour: str
    shape: str = "record"  # of a layer; "octagon" of a blob


@dataclass
class _Graph:
    name: str
    rankdir: str
    boxes: dict[str, _Box] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], None] = field(default_factory=dict)  # from, to, label; in order


def _layers(net: Any, phase: int | None) -> Iterator[Any]:
    def fail(where: Any, *message: Any) -> DeepLabError:
        return DeepLabError(f"draw_net: {' '.join(map(str, message)) or where}")

    layers = [layer for _, layer in upgrade(net, fail)] if len(net.layers) else net.layer
    for layer in layers:
        if phase is not None and len(layer.include) and len(layer.exclude):
            raise DeepLabError(f"layer {layer.name} has both include and exclude")
        if phase is not None and len(layer.include) and all(rule.phase != phase for rule in layer.include):
            continue
        if phase is not None and any(rule.phase == phase for rule in layer.exclude):
            continue
        yield layer


def _graph(net: Any, rankdir: str, label_edges: bool, phase: int | None, display_lrm: bool) -> _Graph:
    if rankdir not in ("LR", "RL", "TB", "BT"):
        raise DeepLabError(f"draw_net: rankdir is LR, RL, TB or BT, not {rankdir}")
    graph = _Graph(net.name or "Net", rankdir)
    for layer in _layers(net, phase):
        name = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        colour = IN_PLACE if in_place else choose_color_by_layertype(layer.type)
        label = get_layer_label(layer, rankdir, display_lrm)[1:-1].replace(r"\n", "\n")
        graph.boxes[name] = _Box(label, colour)
        for blob in [*layer.bottom, *layer.top]:
            graph.boxes.setdefault(f"{blob}_blob", _Box(blob, BLOB, "octagon"))
        read = [(f"{blob}_blob", name, "") for blob in layer.bottom]
        written = get_edge_label(layer).strip('"') if label_edges else ""
        graph.edges |= dict.fromkeys([*read, *((name, f"{blob}_blob", written) for blob in layer.top)])
    return graph


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _record(text: str) -> str:
    """A record's label, where braces and bars have a meaning."""
    quoted = _quoted(text)
    for letter in "{}|<>":
        quoted = quoted.replace(letter, f"\\{letter}")
    return quoted


def _dot(graph: _Graph) -> str:
    """The graph in graphviz's language."""
    lines = [f"digraph {_quoted(graph.name)} {{", f"rankdir={graph.rankdir};"]
    for name, box in graph.boxes.items():
        label = _record(box.label) if box.shape == "record" else _quoted(box.label)
        style = f'shape={box.shape}, style=filled, fillcolor="{box.colour}"'
        lines.append(f"{_quoted(name)} [label={label}, {style}];")
    for source, target, label in graph.edges:
        lines.append(f"{_quoted(source)} -> {_quoted(target)} [label={_quoted(label)}];")
    return "\n".join([*lines, "}", ""])


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The net, a NetParameter, as a graph of pydot. DeepLabError without pydot; draw_net does not need it."""
    try:
        import pydot
    except ImportError:
        raise DeepLabError(
            "get_pydot_graph: this needs pydot: pip install 'deeplab_caffe[pycaffe]'"
        ) from None
    graph = _graph(caffe_net, rankdir, label_edges, phase, display_lrm)
    result = pydot.Dot(_quoted(graph.name), graph_type="digraph", rankdir=rankdir)
    for name, box in graph.boxes.items():
        label = _record(box.label) if box.shape == "record" else _quoted(box.label)
        style = {"shape": box.shape, "style": "filled", "fillcolor": f'"{box.colour}"'}
        result.add_node(pydot.Node(_quoted(name), label=label, **style))
    for source, target, label in graph.edges:
        result.add_edge(pydot.Edge(_quoted(source), _quoted(target), label=_quoted(label)))
    return result


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """A picture of the net, a NetParameter.

    rankdir: where the net goes, "LR", "RL", "TB" or "BT". ext: the format: png, svg, pdf, jpg, eps, ps, those
    that graphviz knows where it is installed, or raw, dot or gv, the text that graphviz reads. phase: only
    the layers of caffe.TRAIN or caffe.TEST. display_lrm: with the learning rate factors. Raises DeepLabError.
    """
    graph = _graph(caffe_net, rankdir, True, phase, display_lrm)
    if ext in TEXT_FORMATS:
        return _dot(graph).encode()
    program = shutil.which("dot")
    if program:
        done = subprocess.run(
            [program, f"-T{ext}"], input=_dot(graph).encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise DeepLabError(
                f"draw_net: graphviz: {' '.join(done.stderr.decode(errors='replace').split())}"
            )
        return done.stdout
    if ext not in PICTURES:
        raise DeepLabError(f"draw_net: {ext}: this needs graphviz; without it {', '.join(PICTURES)}")
    from ..evaluation.charts import draw_boxes  # matplotlib

    edges = [(source, target) for source, target, _ in graph.edges]
    places = layout({name: box.label for name, box in graph.boxes.items()}, edges, rankdir)
    boxes = {name: (places[name], box.label, box.colour) for name, box in graph.boxes.items()}
    return draw_boxes(boxes, list(graph.edges), ext)


def draw_net_to_file(
    caffe_net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Writes draw_net's picture, in the format that the file's name ends with."""
    picture = draw_net(caffe_net, rankdir, os.fspath(filename).rpartition(".")[2], phase, display_lrm)
    with replacing(filename) as file:
        file.write(picture)
