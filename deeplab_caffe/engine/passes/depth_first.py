"""Another valid order of the nodes, one branch after the other, where that takes less memory."""

from collections.abc import Callable

from ..dag import Node


def depth_first(nodes: list[Node], arena: Callable[[list[Node]], int]) -> list[Node]:
    """The nodes with each branch run to its end before the next one is begun, or as they are.

    arena: the bytes that an order of the nodes needs.
    """
    producers = {value: node for node in nodes for value in node.tops}
    read = {value for node in nodes for value in node.bottoms}
    ordered: dict[Node, None] = {}
    pending = [node for node in reversed(nodes) if read.isdisjoint(node.tops)]
    while pending:
        before = [producers[value] for value in pending[-1].bottoms if value in producers]
        before = [node for node in before if node not in ordered]
        if before:
            pending += before[::-1]
        else:
            ordered[pending.pop()] = None
    other = list(ordered)
    return nodes if other == nodes else min(nodes, other, key=arena)
