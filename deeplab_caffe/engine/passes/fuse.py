"""Lets layers do the work of those that alone read their top."""

from ...layers.abilities import Fusing
from ..dag import Node, Value, readers_of


def fuse(nodes: list[Node], visible: set[Value], training: bool = False) -> list[Node]:
    """The nodes with `fused` filled where a layer can take over what follows; `visible` values stay.

    A layer is taken over only where its other bottoms are there in time. training: for `forward_train`.
    """
    readers = readers_of(nodes)
    result, gone = [], set()
    for node in nodes:
        if node in gone:
            continue
        while (following := _only_reader(node, readers, visible)) and following not in gone:
            merged = _merged(node, following, training)
            if merged is None:
                break
            gone.add(following)
            node = merged
        result.append(node)
    return result


def _merged(node: Node, following: Node, training: bool) -> Node | None:
    """Both as one node, if the layer can do that and all that it would read is there by then."""
    layer, bottom = node.layer, following.bottoms.index(node.tops[0])
    others = following.bottoms[:bottom] + following.bottoms[bottom + 1 :]
    if not isinstance(layer, Fusing) or any(value.producer >= node.index for value in others):
        return None
    can = layer.fuses_in_training if training else layer.fuses
    if not can(following.layer, bottom, node.fused):
        return None
    fused = (*node.fused, following.layer)
    return Node(node.index, layer, node.bottoms + others, following.tops, fused)


def _only_reader(node: Node, readers: dict[Value, list[Node]], visible: set[Value]) -> Node | None:
    if len(node.tops) != 1 or node.tops[0] in visible:
        return None
    found = readers.get(node.tops[0], [])
    return found[0] if len(found) == 1 else None
