"""The lines of a function that computes nodes one after the other: what goes into one line, and names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .nodes import Block, Node, Value, consumers

_LONGEST = 88
_LETTERS = "xyzwvuts"


@dataclass
class Statement:
    """outputs = text, in which the inputs stand as {number}. unit: the call of a block that it is, alone."""

    outputs: list[Value]
    text: str
    inputs: list[Value]
    unit: Node | None = None


def statements(
    nodes: Sequence[Node], results: Sequence[Value], call: Callable[[Node], str]
) -> list[Statement]:
    """What each line computes. call(node): how a module or block is called, as "self.conv1({0})"."""
    read = consumers(nodes, results)
    waiting: dict[Value, Statement] = {}
    found: list[Statement] = []
    for place, node in enumerate(nodes):
        unit = node if isinstance(node.made, Block) and node.made.named else None
        said = _insert(call(node) if node.made else node.text, node.inputs, waiting)
        said = Statement(node.outputs, said.text, said.inputs, unit)
        following = nodes[place + 1] if place + 1 < len(nodes) else None
        if following and _goes_inside(node, said, following, read):
            waiting[node.outputs[0]] = said
        else:
            found.append(said)
    return found


def _insert(text: str, inputs: Sequence[Value], waiting: dict[Value, Statement]) -> Statement:
    """The expression with those that wait put in place of their values."""
    own: list[Value] = []

    def place(value: Value) -> str:
        if value not in own:
            own.append(value)
        return f"{{{own.index(value)}}}"

    def put(match: re.Match[str]) -> str:
        value = inputs[int(match[1])]
        inner = waiting.get(value)
        if inner is None:
            return place(value)
        said = re.sub(r"\{(\d+)\}", lambda m: place(inner.inputs[int(m[1])]), inner.text)
        before, behind = text[: match.start()], text[match.end() :]
        alone = before.endswith(("(", ", ")) and behind.startswith((")", ","))
        return said if alone or not is_infix(inner.text) else f"({said})"

    said = re.sub(r"\{(\d+)\}", put, text)
    return Statement([], said, own)


def _goes_inside(node: Node, said: Statement, following: Node, read: dict[Value, int]) -> bool:
    """Whether the node's expression stands inside that of the next node, the only one that reads it."""
    if len(node.outputs) != 1 or read.get(node.outputs[0]) != 1 or node.outputs[0] not in following.inputs:
        return False
    number = following.inputs.index(node.outputs[0])
    if len(said.text) > _LONGEST - 22 or (not following.made and following.text.count(f"{{{number}}}") != 1):
        return False
    if following.made:
        return bool(re.match(r"\{0\}\.(flatten|long)|same\(", node.text))
    if node.made or node.unary:
        return following.unary or is_infix(following.text) or following.text.startswith("torch.")
    return (is_infix(node.text) and following.unary) or node.text.startswith("same(")


def is_infix(text: str) -> bool:
    """Whether an operator stands outside all brackets, so that the whole may need some."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and sign == " " and text[place + 1 : place + 2] in ("+", "-", "*", "/", ">"):
            return True
    return text.startswith("-")


def names_by_blob(lines: Sequence[Statement], inputs: Sequence[Value], taken: set[str]) -> dict[Value, str]:
    """The blobs' names; x for what only the next line reads."""
    named: dict[Value, str] = {}
    taken = taken | {"x"}
    for value in inputs:
        named[value] = _free(value.name, taken)
    for place, line in enumerate(lines):
        for value in line.outputs:
            readers = [i for i, other in enumerate(lines) if value in other.inputs]
            if readers == [place + 1] and len(line.outputs) == 1:
                named[value] = "x"
            else:
                named[value] = _free(value.name, taken)
    return named


def names_by_letter(lines: Sequence[Statement], inputs: Sequence[Value]) -> dict[Value, str]:
    """x, y, z: a result takes the letter of an input that nobody reads again, else the next free one."""
    named = dict(zip(inputs, _LETTERS, strict=False))
    last = {value: place for place, line in enumerate(lines) for value in line.inputs}
    for place, line in enumerate(lines):
        dead = [named[v] for v in line.inputs if last[v] == place]
        alive = {named[v] for v in named if last.get(v, -1) > place}
        for value in line.outputs:
            free = [letter for letter in (*dead, *_LETTERS) if letter not in alive]
            named[value] = free[0]
            alive.add(free[0])
    return named


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
