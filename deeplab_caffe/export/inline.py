"""Puts the nodes of a block in place of the only call of it."""

from collections import Counter

from .nodes import HOLE, Argument, Block, Node, Program, Value


def inline_single(program: Program) -> None:
    """No block is left that only one line calls: it has become a part of a larger one."""
    while (found := _single(program)) is not None:
        nodes, place = found
        call = nodes[place]
        assert isinstance(call.made, Block)
        program.blocks.remove(call.made)
        nodes[place : place + 1] = _spliced(call, call.made)


def _single(program: Program) -> tuple[list[Node], int] | None:
    """A call of a named block that no other line calls: the list it is in, and its place."""
    lists = [program.nodes, *(block.nodes for block in program.blocks)]
    calls = Counter(id(node.made) for nodes in lists for node in nodes if isinstance(node.made, Block))
    for nodes in lists:
        for place, node in enumerate(nodes):
            if isinstance(node.made, Block) and node.made.named and calls[id(node.made)] == 1:
                return nodes, place
    return None


def _spliced(call: Node, block: Block) -> list[Node]:
    """The block's nodes with the names, arguments and values of the call."""
    values = dict(zip(block.inputs, call.inputs, strict=True))
    values[block.output] = call.outputs[0]

    def value(inner: Value) -> Value:
        return values.setdefault(inner, Value(inner.name, inner.axes))

    return [
        Node(
            [value(one) for one in node.inputs],
            [value(one) for one in node.outputs],
            node.text,
            node.made,
            node.name.replace(HOLE, call.name),
            {
                name: call.arguments[given.name] if isinstance(given, Argument) else given
                for name, given in node.arguments.items()
            },
            node.unary,
        )
        for node in block.nodes
    ]
