"""The order of a net's computation: which value each layer reads and writes, independent of memory.

A blob name stands for several values where layers work in place (`bottom: "x" top: "x"`). Each of them is a
`Value` of its own here, so that whoever read "x" before the in-place layer keeps seeing the old one. That is
what Caffe reaches by inserting Split layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from torch import Tensor

from ..errors import DeepLabError, OutOfMemoryError, is_out_of_memory, reason_of
from ..formats.net_definition import LayerDefinition, NetDefinition
from ..layers import Layer
from ..layers.abilities import Alias, Fused, Fusing
from ..layers.parameters.parameter import Parameter
from ..types import Shape


@dataclass(eq=False)
class Value:
    """What one layer put into a blob (`producer` is its index; -1: the caller of the net gives it)."""

    name: str
    producer: int = -1


Values = dict[Value, Tensor]


@dataclass(frozen=True, eq=False)
class Node:
    """A layer at its place in the net. `index` counts the layers of the prototxt.

    fused: the layers behind it, in order, whose work it does in the same pass. The bottoms are then its own
    and those that `fused` reads besides, the tops those of the last of them.
    """

    index: int
    layer: Layer
    bottoms: list[Value]
    tops: list[Value]
    fused: Fused = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The layer's own."""
        return tuple(self.layer.blobs)

    @property
    def last(self) -> tuple[int, Layer]:
        """Index and layer that the tops are of: its own, or the last of `fused`."""
        return (self.tops[0].producer, self.fused[-1]) if self.fused else (self.index, self.layer)

    @property
    def repeated(self) -> list[Value] | None:
        """For each top the bottom whose values it only repeats; None where that is not all the node does."""
        layer = self.layer
        if self.fused or not self.tops or not isinstance(layer, Alias):
            return None
        sources = [layer.view_of(i) for i in range(len(self.tops))]
        return (
            [self.bottoms[source] for source in sources if source is not None]
            if None not in sources
            else None
        )

    def overwritable(self) -> list[Value]:
        """The bottoms whose memory the first top may take."""
        own = self.bottoms[:1] if self.layer.in_place else []
        fusing = isinstance(self.layer, Fusing) and self.layer.overwrites_operands
        return own + self.bottoms[1:] if fusing and self.fused else own

    def appends(self, shapes: Mapping[Value, Shape]) -> bool:
        """Whether the only top is, in memory, the bottoms one behind the other."""
        layer = self.layer
        return isinstance(layer, Alias) and layer.appends([shapes[value] for value in self.bottoms])

    def prepare(self) -> None:
        """See Layer."""
        with self._naming_memory():
            self.layer.prepare()

    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops, contiguous float32, as `Layer.forward` does."""
        with self._naming_memory():
            if self.fused and isinstance(self.layer, Fusing):
                self.layer.forward(bottoms, tops, self.fused)
            else:
                self.layer.compute(bottoms, tops)

    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor] | None:
        """See Layer."""
        with self._naming_memory():
            if self.fused and isinstance(self.layer, Fusing):
                return self.layer.forward_fast(bottoms, self.fused)
            return self.layer.forward_fast(bottoms)

    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        """See Layer."""
        with self._naming_memory():
            if self.fused and isinstance(self.layer, Fusing):
                return self.layer.forward_train(bottoms, self.fused)
            return self.layer.forward_train(bottoms)

    @contextmanager
    def _naming_memory(self) -> Iterator[None]:
        """Makes an OutOfMemoryError that names the layer of what torch, NumPy and our kernels say."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, DeepLabError) or not is_out_of_memory(error):
                raise
            message = f"out of memory ({reason_of(error)})"
            raise OutOfMemoryError(self.layer.error("forward", message)) from None


@dataclass
class Graph:
    """Nodes in prototxt order, the values the caller gives, and the last value of each blob name."""

    nodes: list[Node] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    blobs: dict[str, Value] = field(default_factory=dict)

    def outputs(self) -> dict[str, Value]:
        """The blobs whose last value no layer reads."""
        read = {value for node in self.nodes for value in node.bottoms}
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
                maker = definition.elsewhere.get(name)
                why = f"; layer '{maker}', of another phase, level or stage, makes it" if maker else ""
                raise layer.error("bottom", f"unknown bottom blob '{name}'{why}")
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
            if layer.fed_by_caller:
                graph.inputs[name] = tops[-1]
        graph.nodes.append(Node(index, layer, bottoms, tops))
    return graph


def _producer(graph: Graph, layers: list[Layer], name: str) -> str:
    index = graph.blobs[name].producer
    return "the net's input" if index < 0 else f"layer '{layers[index].name}'"


def fed_by_caller(definition: NetDefinition, inputs: dict[str, Shape]) -> NetDefinition:
    """The net with `inputs` given from outside in place of what its data layers produce; see Net."""
    layers: list[LayerDefinition] = []
    lost: set[str] = set()
    known = set(definition.inputs)
    for layer in definition.layers:
        replaced = not layer.bottoms and not inputs.keys().isdisjoint(layer.tops)
        if replaced or not lost.isdisjoint(layer.bottoms):
            known |= set(layer.tops)
            lost |= set(layer.tops) - inputs.keys()
        else:
            layers.append(layer)
    for name in inputs:
        if name not in known:
            raise DeepLabError(f"{definition.source}: inputs: no data layer or input gives a blob '{name}'")
    return replace(definition, inputs=definition.inputs | inputs, layers=tuple(layers))


def readers_of(nodes: Iterable[Node]) -> dict[Value, list[Node]]:
    """For each value that is read the nodes that do so, in order."""
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in node.bottoms:
            readers.setdefault(value, []).append(node)
    return readers


def text(shape: Shape) -> str:
    """A shape as people write it: 1x3x321x321."""
    return "x".join(map(str, shape)) or "a single number"


def infer(
    graph: Graph,
    given: dict[str, Shape],
    fit: Callable[[Node, dict[Value, Shape]], None] | None = None,
) -> dict[Value, Shape]:
    """Shapes of all values, the caller's inputs as `given`; raises DeepLabError where layers do not fit.

    fit: called before each node; may still change the shapes of what it reads.
    """
    shapes: dict[Value, Shape] = {}
    for name, value in graph.inputs.items():
        if name in given:
            shapes[value] = tuple(given[name])
            if not shapes[value]:
                raise DeepLabError(f"input '{name}' has no shape in the net: the caller has to tell it")
            if any(size <= 0 for size in shapes[value]):
                raise DeepLabError(f"input '{name}' would be {text(shapes[value])}")
    for node in graph.nodes:
        if not node.bottoms and node.tops and shapes.keys() >= set(node.tops):
            continue
        if fit is not None:
            fit(node, shapes)
        tops = node.layer.shape([shapes[value] for value in node.bottoms])
        for value, shape in zip(node.tops, tops, strict=True):
            shapes.setdefault(value, tuple(int(size) for size in shape))
            if any(size < (not node.layer.may_be_empty) for size in shapes[value]):
                raise node.layer.error("top", f"blob '{value.name}' would be {text(shapes[value])}")
    return shapes
