"""What a net costs, from its layers' shapes alone: no weights, no data, no memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..formats.net_definition import NetDefinition
from ..layers import Context, Layer
from ..layers.abilities import Windowed
from ..layers.parts.window import Window
from ..types import Pair, Shape
from . import schedule
from .dag import Value
from .feeding import connect_without_data
from .parameters import checked_shapes

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


def analyse(
    definition: NetDefinition,
    size: Pair | None = None,
    phase: str = "test",
    shapes: Mapping[str, Shape] | None = None,
) -> NetCost:
    """The costs of a net at its own input size, or at `size` (height, width).

    `size` goes to every image and map from outside, `shapes` to blobs by name; see
    feeding.connect_without_data. Raises DeepLabError where layers do not fit.
    """
    net, shapes_of = connect_without_data(definition, Context(phase=phase, shapes_only=True), size, shapes)
    fields: dict[Value, tuple[Field, Field]] = {}
    costs, counted = [], {}
    for node in net.nodes:
        bottoms = [shapes_of[value] for value in node.bottoms]
        for value in node.bottoms:
            fields.setdefault(value, (Field(), Field()))
        own = _fields(node.layer, bottoms, [fields[value] for value in node.bottoms])
        fields.update((value, own) for value in node.tops)
        parameters = checked_shapes(node, shapes_of)
        for i, shape in enumerate(parameters):
            specs = node.layer.definition.params
            counted[(specs[i].name if i < len(specs) else "") or (node.index, i)] = prod(shape)
        tops, layer = [shapes_of[value] for value in node.tops], node.layer
        all_taps, inside = layer.multiply_adds(bottoms, tops) if isinstance(layer, Windowed) else (0, 0)
        costs.append(
            LayerCost(
                node.index,
                node.layer.name,
                node.layer.definition.type,
                {value.name: shapes_of[value] for value in node.tops},
                parameters,
                sum(prod(shape) for shape in parameters),
                all_taps,
                inside,
                (round(own[0].size), round(own[1].size)),
                (own[0].stride, own[1].stride),
                sum(FLOAT * prod(shapes_of[value]) for value in node.tops),
            )
        )
    plan = schedule.make_schedule(net, shapes_of, net.outputs()).plan
    return NetCost(
        definition.name,
        costs,
        {name: shapes_of[value] for name, value in net.inputs.items()},
        {name: shapes_of[value] for name, value in net.outputs().items()},
        sum(counted.values()),
        sum(cost.multiply_adds for cost in costs),
        sum(cost.effective_multiply_adds for cost in costs),
        sum(FLOAT * prod(shape) for shape in shapes_of.values()),
        plan.total,
    )


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
