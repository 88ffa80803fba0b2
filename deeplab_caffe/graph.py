"""The order of a net's computation: which value each layer reads and writes, independent of memory.

A blob name stands for several values where layers work in place (`bottom: "x" top: "x"`). Each of them is a
`Value` of its own here, so that whoever read "x" before the in-place layer keeps seeing the old one. That is
what Caffe reaches by inserting Split layers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import DeepLabError
from .formats.net_definition import NetDefinition
from .layers import Layer


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


def needed(steps: list[Step], wanted: Iterable[Value]) -> list[Step]:
    """The steps without which the wanted values cannot be computed."""
    values, chosen = set(wanted), []
    for step in reversed(steps):
        if values.intersection(step.tops):
            values.update(step.bottoms)
            chosen.append(step)
    return chosen[::-1]


def depth_first(steps: list[Step]) -> list[Step]:
    """The steps in another valid order: each branch to its end before the next one is begun."""
    producers = {value: step for step in steps for value in step.tops}
    read = {value for step in steps for value in step.bottoms}
    ordered: dict[Step, None] = {}
    pending = [step for step in reversed(steps) if read.isdisjoint(step.tops)]
    while pending:
        before = [producers[value] for value in pending[-1].bottoms if value in producers]
        before = [step for step in before if step not in ordered]
        if before:
            pending += before[::-1]
        else:
            ordered[pending.pop()] = None
    return list(ordered)


def fuse(steps: list[Step], kept: set[Value], training: bool = False) -> list[Step]:
    """Lets layers absorb the ones that alone read their top; values in `kept` stay visible.

    Sets `absorbed` of every layer. A layer is absorbed only where its other bottoms are there in time.
    training: asks `absorbs_in_training`.
    """
    steps = unfuse(steps)
    readers = _readers(steps)
    fused, gone = [], set()
    for step in steps:
        if step in gone:
            continue
        merged = step
        while (following := _only_reader(merged, readers, kept)) and following not in gone:
            bottom = following.bottoms.index(merged.tops[0])
            others = following.bottoms[:bottom] + following.bottoms[bottom + 1 :]
            if any(value.producer >= step.index for value in others):
                break
            layer = step.layer
            absorbs = layer.absorbs_in_training if training else layer.absorbs
            if not absorbs(following.layer, bottom):
                break
            step.layer.absorbed.append(following.layer)
            gone.add(following)
            merged = Step(step.index, step.layer, merged.bottoms + others, following.tops)
        fused.append(merged)
    return fused


def unfuse(steps: list[Step]) -> list[Step]:
    """The steps as they are, each layer for itself."""
    for step in steps:
        step.layer.absorbed.clear()
    return steps


def _readers(steps: list[Step]) -> dict[Value, list[Step]]:
    readers: dict[Value, list[Step]] = {}
    for step in steps:
        for value in step.bottoms:
            readers.setdefault(value, []).append(step)
    return readers


def _only_reader(step: Step, readers: dict[Value, list[Step]], kept: set[Value]) -> Step | None:
    if len(step.tops) != 1 or step.tops[0] in kept:
        return None
    found = readers.get(step.tops[0], [])
    return found[0] if len(found) == 1 else None


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
