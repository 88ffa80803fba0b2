"""Leaves out the nodes whose results nobody wants."""

from collections.abc import Iterable

from ..dag import Node, Value


def needed(nodes: list[Node], wanted: Iterable[Value]) -> list[Node]:
    """The nodes without which the wanted values cannot be computed."""
    values, chosen = set(wanted), []
    for node in reversed(nodes):
        if values.intersection(node.tops):
            values.update(node.bottoms)
            chosen.append(node)
    return chosen[::-1]
