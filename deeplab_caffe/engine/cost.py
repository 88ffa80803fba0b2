"""What a net costs, from its layers' shapes alone: no weights, no data, no memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..layers import Context, Layer, create
from ..types import Shape
from . import dag, schedule
from .dag import Step, Value

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Field:
    """Of a position of a blob, along one axis, in input pixels: receptive field, distance to the next."""

    size: float = 1.0
    stride: float = 1.0

    def widened(self, taps: float, stride: float = 1.0) -> "Field":
        """After a window that reaches `taps` positions beyond the first and moves by `stride`."""
        return Field(self.size + taps * self.stride, self.stride * stride)


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


def analyse(definition: NetDefinition, size: tuple[int, int] | None = None, phase: str = "test") -> NetCost:
    """The costs of a net at its own input size, or at `size` (height, width).

    `size` goes to every input and data layer; without it a data layer needs a crop size or its files. Raises
    DeepLabError where layers do not fit.
    """
    layers = [create(layer, Context(phase=phase)) for layer in definition.layers]
    net = dag.connect(definition, layers)
    shapes = _infer(net, definition.inputs, size)
    fields: dict[Value, tuple[Field, Field]] = {}
    costs, counted = [], {}
    for step in net.steps:
        bottoms = [shapes[value] for value in step.bottoms]
        for value in step.bottoms:
            fields.setdefault(value, (Field(), Field()))
        own = _fields(step, shapes, [fields[value] for value in step.bottoms])
        fields.update((value, own) for value in step.tops)
        parameters = [tuple(shape) for shape in step.layer.blob_shapes(bottoms)]
        for i, shape in enumerate(parameters):
            specs = step.layer.definition.params
            counted[(specs[i].name if i < len(specs) else "") or (step.index, i)] = prod(shape)
        all_taps, inside = _multiply_adds(step.layer, bottoms, [shapes[value] for value in step.tops])
        costs.append(
            LayerCost(
                step.index,
                step.layer.name,
                step.layer.definition.type,
                {value.name: shapes[value] for value in step.tops},
                parameters,
                sum(prod(shape) for shape in parameters),
                all_taps,
                inside,
                (round(own[0].size), round(own[1].size)),
                (own[0].stride, own[1].stride),
                sum(FLOAT * prod(shapes[value]) for value in step.tops),
            )
        )
    plan = schedule.make_schedule(net, shapes, net.outputs(), "forward", False).plan
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


def _infer(net: dag.Graph, given: Mapping[str, Shape], size: tuple[int, int] | None) -> dict[Value, Shape]:
    """dag.infer, with the images and maps that come from outside set to `size`."""
    if size is None:
        return dag.infer(net, dict(given))
    given = {name: (*shape[:2], *size) if len(shape) == 4 else shape for name, shape in given.items()}
    data: dict[Value, Shape] = {}
    for step in net.steps:
        if step.bottoms:
            continue
        batch, channels = _batch_and_channels(step.layer)
        for number, value in enumerate(step.tops):
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


def _fields(
    step: Step, shapes: dict[Value, Shape], bottoms: list[tuple[Field, Field]]
) -> tuple[Field, Field]:
    if not bottoms:
        return Field(), Field()
    before, after = shapes[step.bottoms[0]], shapes[step.tops[0]] if step.tops else ()
    if len(before) != 4 or len(after) != 4:
        return _largest(bottoms)
    windows = _windows(step.layer)
    own = []
    for axis in (0, 1):
        field, n_in, n_out = bottoms[0][axis], before[2 + axis], after[2 + axis]
        if step.layer.type == "Deconvolution":
            kernel, stride, _, dilation = windows[axis]
            field = field.widened((dilation * (kernel - 1)) // stride, 1 / stride)
        elif windows:
            kernel, stride, _, dilation = windows[axis]
            field = field.widened(dilation * (kernel - 1), stride)
        elif step.layer.type == "Interp" and n_in != n_out and n_out > 1:
            ratio = (n_in - 1) / (n_out - 1)
            field = field.widened(0 if ratio.is_integer() else 1, ratio or 1)
        elif step.layer.type == "InnerProduct":
            field = field.widened(n_in - 1)
        own.append(field)
    if windows or step.layer.type == "Interp":
        return own[0], own[1]
    return _largest([(own[0], own[1]), *bottoms[1:]])


def _largest(fields: list[tuple[Field, Field]]) -> tuple[Field, Field]:
    """The widest field of several bottoms, the first one's stride."""
    rows, columns = (max(field[axis].size for field in fields) for axis in (0, 1))
    return Field(rows, fields[0][0].stride), Field(columns, fields[0][1].stride)


def _multiply_adds(layer: Layer, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
    """(all, inside): multiply-adds of a forward, and those whose input (output) is not padding."""
    if layer.type == "InnerProduct":
        rows = prod(tops[0]) // layer.definition.param.inner_product_param.num_output
        count = rows * prod(layer.blob_shapes(bottoms)[0])
        return count, count
    if layer.type not in ("Convolution", "Deconvolution"):
        return 0, 0
    rows, columns = _windows(layer)
    group = max(1, layer.definition.param.convolution_param.group)
    total = inside = 0
    for bottom, top in zip(bottoms, tops, strict=True):
        # A transposed convolution is a convolution from its top to its bottom.
        (image, positions) = (top, bottom) if layer.type == "Deconvolution" else (bottom, top)
        pairs = bottom[0] * bottom[1] * top[1] // group
        total += pairs * rows[0] * columns[0] * positions[2] * positions[3]
        inside += (
            pairs * _taps_inside(rows, image[2], positions[2]) * _taps_inside(columns, image[3], positions[3])
        )
    return total, inside


def _taps_inside(window: tuple[int, int, int, int], size: int, positions: int) -> int:
    """How many (position, tap) pairs along one axis read inside 0..size-1."""
    kernel, stride, pad, dilation = window
    count = 0
    for tap in range(kernel):
        offset = tap * dilation - pad  # position o reads o * stride + offset
        first = max(0, -(offset // stride))
        last = min(positions - 1, (size - 1 - offset) // stride)
        count += max(0, last - first + 1)
    return count


def _windows(layer: Layer) -> list[tuple[int, int, int, int]]:
    """(kernel, stride, pad, dilation) for rows and columns of a convolution or pooling, else nothing."""
    if layer.type not in ("Convolution", "Deconvolution", "Pooling"):
        return []
    dilation = getattr(layer, "dilation", (1, 1))
    return list(zip(layer.kernel, layer.stride, layer.pad, dilation, strict=True))
