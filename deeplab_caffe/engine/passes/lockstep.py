"""Branches that share weights, as those of a net for several scales do, in lockstep: a weight is read once.

That matters where weights are streamed (weight_memory.py). But what one branch has computed waits for the
others, so they are in lockstep only as far into the net as it takes hardly any memory; behind that point one
branch runs after the other.
"""

from collections.abc import Callable

from ...layers.parameters.parameter import Parameter
from ..dag import Node, Value


def lockstep(nodes: list[Node], arena: Callable[[list[Node]], int], limit: int) -> list[Node]:
    """The nodes in another valid order: as many of those that share weights together as `arena` allows.

    arena: the bytes that an order of the nodes needs, at most `limit`, which those of `nodes` may exceed.
    """
    groups = _groups(nodes)
    if len(set(map(tuple, groups.values()))) == len(nodes):
        return nodes
    producers = {value: node for node in nodes for value in node.tops}
    together = _ordered([mate for node in nodes for mate in groups[node]], producers)
    # The last scales are the smallest, and leave the least behind; where branches join is number 0.
    branch = _branch_numbers(nodes, groups, producers)
    apart = sorted(nodes, key=lambda node: -branch[node])
    # How many nodes of `together` come first, found by halving: the more, the more memory. That is not always
    # so, but an order is taken only after it has been asked for, so it is within the limit in any case.
    best, least, most = nodes, 0, len(nodes)
    while least < most:
        middle = (least + most + 1) // 2
        order = _ordered(together[:middle] + apart, producers)
        if arena(order) <= limit:
            best, least = order, middle
        else:
            most = middle - 1
    return best


def _groups(nodes: list[Node]) -> dict[Node, list[Node]]:
    """For each node those with the same parameters, itself included."""
    groups: dict[tuple[Parameter, ...] | Node, list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.parameters or node, []).append(node)
    return {node: groups[node.parameters or node] for node in nodes}


def _branch_numbers(
    nodes: list[Node], groups: dict[Node, list[Node]], producers: dict[Value, Node]
) -> dict[Node, int]:
    """Of each node the number of its branch: its place among those that share its weights.

    Without shared weights it is the least of those before it, so that a join belongs to the first branch.
    """
    branch: dict[Node, int] = {}
    for node in nodes:
        inherited = min((branch[producers[v]] for v in node.bottoms if v in producers), default=0)
        branch[node] = groups[node].index(node) if len(groups[node]) > 1 else inherited
    return branch


def _ordered(wanted: list[Node], producers: dict[Value, Node]) -> list[Node]:
    """The nodes in that order, each once, but what they read is computed before."""
    done: dict[Node, None] = {}
    for node in wanted:
        pending = [node]
        while pending:
            before = [producers[v] for v in pending[-1].bottoms if v in producers]
            before = [other for other in before if other not in done]
            if before and pending[-1] not in done:
                pending += before[::-1]
            else:
                done[pending.pop()] = None
    return list(done)
