"""Which nodes are computed together because they read the same value: DeepLab's parallel branches."""

from ... import ops
from ...layers.abilities import Branches
from ..dag import Node


def branches(nodes: list[Node]) -> dict[Node, list[Node]]:
    """For each node with one bottom and one top the later ones that its layer computes in one go with it."""
    found: dict[Node, list[Node]] = {}
    single = [node for node in nodes if len(node.bottoms) == len(node.tops) == 1]
    for time, node in enumerate(single):
        if (key := _key(node)) is not None:
            found[node] = [other for other in single[time + 1 :] if _key(other) == key]
    return {node: others[: ops.TENSOR_CORE_BRANCHES - 1] for node, others in found.items() if others}


def _key(node: Node) -> object:
    key = node.layer.branch_key() if isinstance(node.layer, Branches) else None
    return None if key is None else (node.layer.type, node.bottoms[0], key)
