"""Nets without their data: what feeds them is replaced where it cannot run, or its files are not there."""

from collections.abc import Callable, Mapping
from math import prod

from ..errors import DeepLabError
from ..formats.net_definition import LayerDefinition, NetDefinition
from ..layers import Context, Layer, create
from ..layers.base import check_types
from ..layers.stand_in import StandIn, data_shapes, is_label, python_shapes
from ..types import Pair, Shape
from . import dag
from .dag import Graph, Node, Value

# Losses whose two bottoms have one shape, and those (and the accuracies) with one label for each position.
_SAME_SHAPE = ("ContrastiveLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss", "SmoothL1Loss")
_BY_POSITION = (
    "Accuracy",
    "HingeLoss",
    "InfogainLoss",
    "MultinomialLogisticLoss",
    "SegAccuracy",
    "SoftmaxWithLoss",
)
_IMAGE = (1, 3)  # batch and channels, where nothing tells them
# Their fields tell the shapes of their tops exactly.
_TELL_SHAPES = ("DummyData", "Input", "MemoryData")

GivenShapes = Mapping[str, Shape]


def connect_without_data(
    definition: NetDefinition, context: Context, size: Pair | None = None, given: GivenShapes | None = None
) -> tuple[Graph, dict[Value, Shape]]:
    """The net's graph and all shapes, for looking at: no file of data is needed.

    size: (height, width) of images and maps from outside. given: shapes by blob, of inputs, of what data
    layers give, and of the tops of layers that cannot run here. A label that only a loss reads has the shape
    that fits it. Raises DeepLabError where layers do not fit, or nothing tells a shape.
    """
    given = dict(given or {})
    tops = {top for layer in definition.layers for top in layer.tops}
    for name in given:
        if name not in tops and name not in definition.inputs:
            raise DeepLabError(f"{definition.source}: --shape {name}: no input or layer gives such a blob")
    check_types(layer for layer in definition.layers if not _replaceable(layer, given))
    layers, stand_ins = [], set()
    for index, one in enumerate(definition.layers):
        layer = _made(one, context, size, given)
        layers.append(layer)
        if isinstance(layer, StandIn):
            stand_ins.add(index)
    graph = dag.connect(definition, layers)
    inputs = {
        name: given.get(name, (*(shape[:2] or _IMAGE), *size) if size and len(shape) in (0, 4) else shape)
        for name, shape in definition.inputs.items()
    }
    for node in graph.nodes:
        if not isinstance(node.layer, StandIn):
            inputs |= {value.name: given[value.name] for value in node.tops if value.name in given}
    labels = {
        value
        for node in graph.nodes
        if node.index in stand_ins
        for i, value in enumerate(node.tops)
        if value.name not in given and (i or is_label(value.name))
    }
    return graph, dag.infer(graph, inputs, fit=_fit(labels))


def missing_inputs(
    definition: NetDefinition, context: Context, size: Pair | None = None, given: GivenShapes | None = None
) -> dict[str, Shape]:
    """The `inputs` of Net for a net whose data is not there: what data layers that cannot run would give."""
    graph, shapes = connect_without_data(definition, context, size, given)
    nodes = [node for node in graph.nodes if isinstance(node.layer, StandIn) and not node.bottoms]
    return {value.name: shapes[value] for node in nodes for value in node.tops}


def _replaceable(layer: LayerDefinition, given: GivenShapes) -> bool:
    """Whether the layer need not be one we have."""
    return not layer.bottoms or bool(layer.tops and given.keys() >= set(layer.tops))


def _made(definition: LayerDefinition, context: Context, size: Pair | None, given: GivenShapes) -> Layer:
    """The layer, or what stands in for it."""
    if definition.bottoms or not definition.tops:
        if definition.tops and given.keys() >= set(definition.tops):
            return StandIn(definition, context, [given[name] for name in definition.tops])
        try:
            return create(definition, context)
        except DeepLabError:
            if definition.type != "Python":
                raise
            shapes = python_shapes(definition, given)
            if shapes is None:
                raise
            return StandIn(definition, context, shapes)
    own: list[Shape] | None = None
    reason = ""
    try:
        check_types([definition])
        layer = create(definition, context)
        if (layer.fed_by_caller and not size) or layer.blob_shapes([]):
            return layer
        own = [tuple(shape) for shape in layer.shape([])]
    except DeepLabError as error:
        reason = str(error)
        without = definition.type == "Input" and not definition.param.input_param.shape
        if definition.type in _TELL_SHAPES and not (without or given.keys() >= set(definition.tops)):
            raise
    else:
        if definition.type in _TELL_SHAPES:
            sized = [_sized(shape, size) for shape in own]
            named = zip(definition.tops, sized, strict=True)
            return StandIn(definition, context, [given.get(name, shape) for name, shape in named])
        if size is None and not given.keys() & set(definition.tops):
            return layer
    try:
        return StandIn(definition, context, data_shapes(definition, size, given, own))
    except DeepLabError as error:
        raise (
            error if not reason else DeepLabError(f"{reason}; {error.args[0].partition('top: ')[2]}")
        ) from None


def _sized(shape: Shape, size: Pair | None) -> Shape:
    """The shape of an image or a map with another height and width."""
    return (*shape[:2], *size) if size and len(shape) == 4 and prod(shape[2:]) > 1 else shape


def _fit(labels: set[Value]) -> Callable[[Node, dict[Value, Shape]], None]:
    """What gives the labels, before a node reads them, the shape that it wants."""

    def fit(node: Node, shapes: dict[Value, Shape]) -> None:
        if len(node.bottoms) < 2 or node.bottoms[0] in labels:
            return
        kind, scores = node.layer.definition.type, shapes[node.bottoms[0]]
        for value in node.bottoms[1:]:
            if value not in labels:
                continue
            if kind in _SAME_SHAPE and prod(shapes[value]) != prod(scores):
                shapes[value] = scores
            elif kind in _BY_POSITION and len(scores) > 1 and prod(shapes[value]) * scores[1] != prod(scores):
                flat = len(scores) < 3 or prod(scores[2:]) == 1
                alone = node.layer.definition.dialect.top_shape(scores[0])
                shapes[value] = alone if flat else (scores[0], 1, *scores[2:])
            labels.discard(value)

    return fit
