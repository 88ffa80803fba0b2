"""What a net costs, from its layers' shapes alone: no weights, no data, no memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..layers import Context, Layer, create
from ..layers.abilities import Windowed
from ..layers.parts.window import Window
from ..types import Pair, Shape
from . import dag, schedule
from .dag import Value

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Field:
    """Of a position of a blob, along one axis, in input pixels: receptive field, distance to the next."""

    size: float = 1.0
    stride: float = 1.0

    def widened(self, window: Window) -> "Field":
        """Of a position that reads `window` of positions like this."""
        reach = window.dilation * (window.kernel - 1)
        return Field(self.size + reach * self.stride, self.stride * window.stride)


@dataclass(frozen=True)
class LayerCost:
    """One row of the table. Multiply-adds: all taps, and those that lie inside the image.

    receptive_field and stride: (height, width) in input pixels, of the tops. memory: bytes of the tops.
    """

    index: int
    name: str
    type: str
    tops: dict[str, Shape]
    parameter_shapes: list[Shape]
    parameters: int
    multiply_adds: int
    effective_multiply_adds: int
    receptive_field: tuple[int, int]
    stride: tuple[float, float]
    memory: int


@dataclass(frozen=True)
class NetCost:
    """The whole net. Shared parameters count once; peak_memory: bytes of blobs alive at once in a forward."""

    name: str
    layers: list[LayerCost]
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    parameters: int
    multiply_adds: int
    effective_multiply_adds: int
    blob_memory: int
    peak_memory: int


def analyse(definition: NetDefinition, size: Pair | None = None, phase: str = "test") -> NetCost:
    """The costs of a net at its own input size, or at `size` (height, width).

    `size` goes to every input and data layer; without it a data layer needs a crop size or its files. Raises
    DeepLabError where layers do not fit.
    """
    layers = [create(layer, Context(phase=phase)) for layer in definition.layers]
    net = dag.connect(definition, layers)
    shapes = _infer(net, definition.inputs, size)
    fields: dict[Value, tuple[Field, Field]] = {}
    costs, counted = [], {}
    for node in net.nodes:
        bottoms = [shapes[value] for value in node.bottoms]
        for value in node.bottoms:
            fields.setdefault(value, (Field(), Field()))
        own = _fields(node.layer, bottoms, [fields[value] for value in node.bottoms])
        fields.update((value, own) for value in node.tops)
        parameters = [tuple(shape) for shape in node.layer.blob_shapes(bottoms)]
        for i, shape in enumerate(parameters):
            specs = node.layer.definition.params
            counted[(specs[i].name if i < len(specs) else "") or (node.index, i)] = prod(shape)
        tops, layer = [shapes[value] for value in node.tops], node.layer
        all_taps, inside = layer.multiply_adds(bottoms, tops) if isinstance(layer, Windowed) else (0, 0)
        costs.append(
            LayerCost(
                node.index,
                node.layer.name,
                node.layer.definition.type,
                {value.name: shapes[value] for value in node.tops},
                parameters,
                sum(prod(shape) for shape in parameters),
                all_taps,
                inside,
                (round(own[0].size), round(own[1].size)),
                (own[0].stride, own[1].stride),
                sum(FLOAT * prod(shapes[value]) for value in node.tops),
            )
        )
    plan = schedule.make_schedule(net, shapes, net.outputs()).plan
    return NetCost(
        definition.name,
        costs,
        {name: shapes[value] for name, value in net.inputs.items()},
        {name: shapes[value] for name, value in net.outputs().items()},
        sum(counted.values()),
        sum(cost.multiply_adds for cost in costs),
        sum(cost.effective_multiply_adds for cost in costs),
        sum(FLOAT * prod(shape) for shape in shapes.values()),
        plan.total,
    )


def _infer(net: dag.Graph, given: Mapping[str, Shape], size: Pair | None) -> dict[Value, Shape]:
    """dag.infer, with the images and maps that come from outside set to `size`."""
    if size is None:
        return dag.infer(net, dict(given))
    given = {name: (*shape[:2], *size) if len(shape) == 4 else shape for name, shape in given.items()}
    data: dict[Value, Shape] = {}
    for node in net.nodes:
        if node.bottoms:
            continue
        batch, channels = _batch_and_channels(node.layer)
        for number, value in enumerate(node.tops):
            maps = (batch, 1 if number else channels, *size)
            data[value] = (batch, 1, 1, 2) if value.name == "data_dim" else maps
    return dag.infer(net, given, data)


def _batch_and_channels(layer: Layer) -> tuple[int, int]:
    """Of a layer that feeds the net, as far as it can tell without its files."""
    try:
        shapes = layer.shape([])
    except DeepLabError:
        return 1, 3
    return (shapes[0][0], shapes[0][1]) if len(shapes[0]) == 4 else (1, 3)


def _fields(layer: Layer, bottoms: list[Shape], fields: list[tuple[Field, Field]]) -> tuple[Field, Field]:
    """Of the tops, from those of the bottoms."""
    if not fields:
        return Field(), Field()
    windows = layer.windows(bottoms) if isinstance(layer, Windowed) else []
    if not windows:
        return _largest(fields)
    rows, columns = (field.widened(window) for field, window in zip(fields[0], windows, strict=True))
    return rows, columns


def _largest(fields: list[tuple[Field, Field]]) -> tuple[Field, Field]:
    """The widest field of several bottoms, the first one's stride."""
    rows, columns = (max(field[axis].size for field in fields) for axis in (0, 1))
    return Field(rows, fields[0][0].stride), Field(columns, fields[0][1].stride)
