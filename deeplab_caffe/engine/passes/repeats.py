"""Leaves out the nodes that only repeat what there is already: their readers read that."""

from collections.abc import Mapping
from dataclasses import replace

from ...types import Shape
from ..dag import Node, Value


def without_repeats(nodes: list[Node], shapes: Mapping[Value, Shape], visible: set[Value]) -> list[Node]:
    """The nodes without those that neither compute nor reshape (Dropout in the test phase).

    Those that make `visible` values stay.
    """
    instead: dict[Value, Value] = {}
    result = []
    for node in nodes:
        if any(bottom in instead for bottom in node.bottoms):
            node = replace(node, bottoms=[instead.get(bottom, bottom) for bottom in node.bottoms])
        repeated = dict(zip(node.tops, node.repeated, strict=True)) if node.repeated else {}
        reshapes = any(shapes[top] != shapes[source] for top, source in repeated.items())
        if repeated and not reshapes and visible.isdisjoint(repeated):
            instead.update(repeated)
        else:
            result.append(node)
    return result
