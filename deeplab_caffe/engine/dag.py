"""The order of a net's computation: which value each layer reads and writes, independent of memory.

A blob name stands for several values where layers work in place (`bottom: "x" top: "x"`). Each of them is a
`Value` of its own here, so that whoever read "x" before the in-place layer keeps seeing the old one. That is
what Caffe reaches by inserting Split layers."""

from dataclasses import dataclass, field

from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..layers import Layer


@dataclass(eq=False)
class Value:
    """What one layer put into a blob (`producer` is its index; -1: the caller of the net gives it)."""

    name: str
    producer: int = -1


@dataclass(eq=False)
class Step:
    """One layer at work, the ones it has absorbed included. `index` counts the layers of the prototxt."""

    index: int
    layer: Layer
    bottoms: list[Value]
    tops: list[Value]


@dataclass
class Graph:
    """Steps in prototxt order, the values the caller gives, and the last value of each blob name."""

    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    blobs: dict[str, Value] = field(default_factory=dict)

    def outputs(self) -> dict[str, Value]:
        """The blobs whose last value no layer reads."""
        read = {value for step in self.steps for value in step.bottoms}
        return {name: value for name, value in self.blobs.items() if value not in read}


def connect(definition: NetDefinition, layers: list[Layer]) -> Graph:
    """Resolves blob names; raises DeepLabError for an unknown bottom or a blob with two producers."""
    graph = Graph()
    for name in definition.inputs:
        graph.inputs[name] = graph.blobs[name] = Value(name)
    for index, layer in enumerate(layers):
        names = layer.definition.bottoms
        for name in names:
            if name not in graph.blobs:
                raise layer.error("bottom", f"unknown bottom blob '{name}'")
        bottoms = [graph.blobs[name] for name in names]
        tops = []
        for i, name in enumerate(layer.definition.tops):
            in_place = i < len(names) and names[i] == name
            if name in graph.blobs and not in_place:
                raise layer.error(
                    "top", f"blob '{name}' is already produced by {_producer(graph, layers, name)}"
                )
            tops.append(Value(name, index))
            graph.blobs[name] = tops[-1]
            if layer.fed:
                graph.inputs[name] = tops[-1]
        graph.steps.append(Step(index, layer, bottoms, tops))
    return graph


def _producer(graph: Graph, layers: list[Layer], name: str) -> str:
    index = graph.blobs[name].producer
    return "the net's input" if index < 0 else f"layer '{layers[index].name}'"


def text(shape: tuple[int, ...]) -> str:
    """A shape as people write it: 1x3x321x321."""
    return "x".join(map(str, shape)) or "a single number"


def infer(
    graph: Graph, given: dict[str, tuple[int, ...]], data: dict[Value, tuple[int, ...]] | None = None
) -> dict[Value, tuple[int, ...]]:
    """Shapes of all values, the caller's inputs as `given`; raises DeepLabError where layers do not fit.

    data: shapes for the tops of layers without bottoms, which then are not asked (their files may be absent).
    """
    shapes = dict(data or {})
    for name, value in graph.inputs.items():
        if name in given:
            shapes[value] = tuple(given[name])
            if any(size <= 0 for size in shapes[value]):
                raise DeepLabError(f"input '{name}' would be {text(shapes[value])}")
    for step in graph.steps:
        if not step.bottoms and step.tops and shapes.keys() >= set(step.tops):
            continue
        tops = step.layer.shape([shapes[value] for value in step.bottoms])
        for value, shape in zip(step.tops, tops, strict=True):
            shapes.setdefault(value, tuple(int(size) for size in shape))
            if any(size <= 0 for size in shapes[value]):
                raise step.layer.error("top", f"blob '{value.name}' would be {text(shapes[value])}")
    return shapes
