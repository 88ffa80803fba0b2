"""From a Net to the Program that its PyTorch source says."""

import re
from collections.abc import Sequence

from ..engine import dag
from ..engine.folding import behind_convolutions
from ..engine.net import Net
from ..engine.passes.needed import needed
from ..errors import DeepLabError
from . import operators, weighted  # noqa: F401 they register what layers are in PyTorch
from .builder import OPERATORS, Builder, refused
from .nodes import Node, Program, Value

_LONGEST_NAME = 24
_WHY = {
    "DenseCRF": "mean field inference over a lattice is no PyTorch operator",
    "SPP": "its windows depend on the size of the input",
}


def translate(net: Net, outputs: Sequence[str] = (), fold: bool = False) -> Program:
    """The net for these blobs (default: its own outputs), in depth-first order from the outputs.

    fold: BatchNorm and Scale go into the convolution in front of them. Raises DeepLabError for a layer that
    cannot go, with the way around.
    """
    graph = dag.connect(net.definition, net.layers)
    shapes = dag.infer(graph, dict(net.inputs))
    wanted = _wanted(net, graph, outputs)
    build = Builder(net.layers)
    gone: set[str] = set()
    if fold:
        build.behind = behind_convolutions(net)
        gone = {layer.name for layers in build.behind.values() for layer in layers}
    values = {value: Value(identifier(name), len(shapes[value])) for name, value in graph.inputs.items()}
    used = needed(graph.nodes, wanted.values())
    for node in used:
        layer = node.layer
        if layer.fed_by_caller:
            continue
        bottoms = [values[value] for value in node.bottoms]
        if layer.name in gone:
            values[node.tops[0]] = bottoms[0]
            continue
        operator = OPERATORS.get(layer.type) or OPERATORS.get(layer.definition.type)
        if operator is None or not node.bottoms:
            raise refused(layer, _WHY.get(layer.type, f"{layer.definition.type} has no counterpart"))
        build.bottoms = [shapes[value] for value in node.bottoms]
        build.tops = [shapes[value] for value in node.tops]
        for value, said in zip(node.tops, operator(build, layer, bottoms), strict=True):
            if said not in bottoms:
                said.name = identifier(value.name)
            values[value] = said
    results = [values[value] for value in wanted.values()]
    read = {value for node in used for value in node.bottoms}
    inputs = {name: values[value] for name, value in graph.inputs.items() if value in read}
    nodes = depth_first(build.nodes, results)
    made = {f"{node.name}." for node in nodes if node.made}
    return Program(
        class_name(net.definition.name),
        list(inputs.values()),
        results,
        list(inputs),
        list(wanted),
        nodes,
        {name: value for name, value in build.values.items() if f"{name.rpartition('.')[0]}." in made},
        [tie for tie in build.ties if made.issuperset(f"{name.rpartition('.')[0]}." for name in tie)],
    )


def identifier(name: str) -> str:
    """A blob's name as a variable's; of a long path its last words."""
    words = re.split(r"[/.]", name)
    while len(words) > 1 and len("_".join(words)) > _LONGEST_NAME:
        words = words[1:]
    found = re.sub(r"\W", "_", "_".join(words), flags=re.ASCII)
    return f"_{found}" if not found or found[0].isdigit() else found


def class_name(name: str) -> str:
    """A net's name as a class's: "DeepLab-LargeFOV" is DeepLabLargeFOV."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    found = "".join(word[0].upper() + word[1:] for word in words)
    return found if found and not found[0].isdigit() else f"Net{found}"


def depth_first(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Node]:
    """The nodes that the outputs need, each behind what it needs: one branch after the other."""
    makers = {value: node for node in nodes for value in node.outputs}
    order: dict[Node, None] = {}
    waiting = [makers[value] for value in reversed(outputs) if value in makers]
    while waiting:
        node = waiting[-1]
        before = [makers[value] for value in node.inputs if value in makers]
        missing = [maker for maker in before if maker not in order]
        if missing:
            waiting += reversed(missing)
        else:
            order[node] = None
            waiting.pop()
    return list(order)


def _wanted(net: Net, graph: dag.Graph, outputs: Sequence[str]) -> dict[str, dag.Value]:
    wanted = {name: graph.blobs[name] for name in outputs if name in graph.blobs} or graph.outputs()
    unknown = [name for name in outputs if name not in graph.blobs]
    if unknown:
        known = ", ".join(list(graph.blobs)[-5:])
        raise DeepLabError(f"{net.definition.source}: no blob is named '{unknown[0]}'; the last: {known}")
    inputs = set(graph.inputs.values())
    wanted = {name: value for name, value in wanted.items() if outputs or value not in inputs}
    if not wanted:
        raise DeepLabError(f"{net.definition.source}: the net has no outputs")
    return wanted
