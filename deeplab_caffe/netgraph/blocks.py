"""The graph as blocks of columns and rows.

Nets are almost chains: what stands one behind the other becomes a column, what stands side by side a row,
until (nearly always) one block is left. What remains tangled is drawn in rows, each node below what it reads.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import networkx

from .stacks import Stack

# More rounds would nest deeper than any net we know; what is left then is drawn in rows.
MOST_ROUNDS = 40
# Connections past rows; of more nobody could follow one, and none is drawn.
MOST_LINES = 20_000
LONGEST_UNIT = 64  # items of a column that repeat together
SMALLEST_UNIT = 3  # stacks; less is not worth folding


@dataclass
class Leaf:
    """One stack, by number."""

    stack: int


@dataclass
class Line:
    """A connection that passes by what stands in the same row."""


@dataclass
class Block:
    """rows: items side by side, from top to bottom; links[r]: (i, j): item i of row r to j of the next."""

    rows: "list[list[Item]]"
    links: list[list[tuple[int, int]]] = field(default_factory=list)


@dataclass
class Fold:
    """A block that can be drawn as one box: `times` blocks that compute the same, or one of them (times 1).

    caption: what the box tells below its name.
    """

    name: str
    times: int
    block: Block
    caption: str
    opened: bool = False


Item: TypeAlias = Leaf | Line | Block | Fold


def build(stacks: list[Stack], edges: networkx.DiGraph) -> Block:
    """The whole graph as one block, runs of equal blocks folded."""
    if not edges:
        return Block([[Line()]])
    graph = edges.copy()
    items: dict[int, Item] = {number: Leaf(number) for number in graph}
    for _ in range(MOST_ROUNDS):
        # "|": every pass runs.
        if not (_columns(graph, items) | _bypasses(graph, items) | _rows(graph, items)):
            break
    order = {node: place for place, node in enumerate(sorted(items))}
    root = _tangle(graph, items, order) if len(items) > 1 else _block(next(iter(items.values())))
    keys: dict[object, int] = {}
    _fold(root, stacks, keys)
    return root


def leaves(item: Item) -> Iterator[int]:
    """The numbers of all stacks in it, from top to bottom."""
    if isinstance(item, Leaf):
        yield item.stack
    elif isinstance(item, Fold):
        yield from leaves(item.block)
    elif isinstance(item, Block):
        for row in item.rows:
            for child in row:
                yield from leaves(child)


def folds(item: Item) -> Iterator[Fold]:
    """All folds in it, outer ones first."""
    if isinstance(item, Fold):
        yield item
        item = item.block
    if isinstance(item, Block):
        for row in item.rows:
            for child in row:
                yield from folds(child)


def _block(item: Item) -> Block:
    return item if isinstance(item, Block) else Block([[item]])


def _column(parts: list[Item]) -> Block:
    """One below the other; columns among them are dissolved."""
    rows: list[list[Item]] = []
    for part in parts:
        rows += part.rows if _is_column(part) else [[part]]  # type: ignore[union-attr]
    return Block(rows, [[(0, 0)]] * (len(rows) - 1))


def _row(parts: list[Item]) -> Block:
    """Side by side; rows among them are dissolved, lines to the right."""
    row: list[Item] = []
    for part in parts:
        row += part.rows[0] if isinstance(part, Block) and len(part.rows) == 1 else [part]
    return Block([sorted(row, key=lambda item: isinstance(item, Line))])


def _is_column(item: Item) -> bool:
    return isinstance(item, Block) and len(item.rows) > 1


def _columns(graph: networkx.DiGraph, items: dict[int, Item]) -> bool:
    """Chains become columns."""
    chains = []
    for node in graph:
        before = list(graph.predecessors(node))
        if len(before) == 1 and graph.out_degree(before[0]) == 1:
            continue  # within a chain
        chain = [node]
        while graph.out_degree(chain[-1]) == 1:
            (after,) = graph.successors(chain[-1])
            if graph.in_degree(after) > 1:
                break
            chain.append(after)
        if len(chain) > 1:
            chains.append(chain)
    for chain in chains:
        items[chain[0]] = _column([items[node] for node in chain])
        _replace(graph, items, chain, list(graph.predecessors(chain[0])), list(graph.successors(chain[-1])))
    return bool(chains)


def _bypasses(graph: networkx.DiGraph, items: dict[int, Item]) -> bool:
    """A node past which its only predecessor reaches its only successor gets a line beside it."""
    found = False
    for node in graph:
        before, after = list(graph.predecessors(node)), list(graph.successors(node))
        if len(before) == len(after) == 1 and graph.has_edge(before[0], after[0]):
            graph.remove_edge(before[0], after[0])
            items[node] = _row([items[node], Line()])
            found = True
    return found


def _rows(graph: networkx.DiGraph, items: dict[int, Item]) -> bool:
    """Nodes with the same predecessors and the same successors become a row."""
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for node in graph:
        ends = frozenset(graph.predecessors(node)), frozenset(graph.successors(node))
        alike.setdefault(ends, []).append(node)
    several = {ends: sorted(nodes) for ends, nodes in alike.items() if len(nodes) > 1}
    for (before, after), nodes in several.items():
        items[nodes[0]] = _row([items[node] for node in nodes])
        _replace(graph, items, nodes, list(before), list(after))
    return bool(several)


def _replace(
    graph: networkx.DiGraph, items: dict[int, Item], nodes: list[int], before: list[int], after: list[int]
) -> None:
    """Several nodes become the first of them, with these neighbours."""
    graph.remove_nodes_from(nodes)
    graph.add_node(nodes[0])
    graph.add_edges_from((node, nodes[0]) for node in before)
    graph.add_edges_from((nodes[0], node) for node in after)
    for node in nodes[1:]:
        del items[node]


def _tangle(graph: networkx.DiGraph, items: dict[int, Item], order: dict[int, int]) -> Block:
    """Rows by the longest way from the top; what reaches beyond the next row gets a line in those between.

    Within a row, items stand in the mean order of what they read (Sugiyama's barycentre, one sweep).
    """
    levels = [list(level) for level in networkx.topological_generations(graph)]
    level_of = {node: number for number, level in enumerate(levels) for node in level}
    rows: list[list[Item]] = []
    links: list[list[tuple[int, int]]] = []
    above: dict[int, int] = {}  # node: its place, or its line's, in the row above
    lines = 0
    for number, level in enumerate(levels):
        passing = [
            node for node in above if any(level_of[reader] > number for reader in graph.successors(node))
        ]

        def place(entry: tuple[int, bool], above: dict[int, int] = above) -> tuple[float, int]:
            node, passes = entry
            sources = [node] if passes else list(graph.predecessors(node))
            return sum(above[source] for source in sources) / max(1, len(sources)), order[node]

        lines += len(passing)
        if lines > MOST_LINES:
            rows = [[items[node] for node in level] for level in levels]
            return Block(rows, [[] for _ in rows[1:]])
        entries = sorted([(node, False) for node in level] + [(node, True) for node in passing], key=place)
        rows.append([Line() if passes else items[node] for node, passes in entries])
        if number:
            links.append(
                [
                    (above[source], place)
                    for place, (node, passes) in enumerate(entries)
                    for source in ([node] if passes else graph.predecessors(node))
                ]
            )
        above = {node: place for place, (node, _) in enumerate(entries)}
    return Block(rows, links)


def _fold(item: Item, stacks: list[Stack], keys: dict[object, int]) -> int:
    """Folds the runs in all columns of it; a number that equal items share."""
    if isinstance(item, Leaf):
        key: object = stacks[item.stack].key
    elif isinstance(item, Line):
        key = "line"
    elif isinstance(item, Fold):
        raise TypeError("folded twice")
    else:
        numbers = [[_fold(child, stacks, keys) for child in row] for row in item.rows]
        key = str((numbers, item.links))
        if _is_column(item) and all(len(row) == 1 for row in item.rows) and all(item.links):
            _fold_column(item, [row[0] for row in numbers], stacks)
    return keys.setdefault(key, len(keys))


def _fold_column(column: Block, keys: list[int], stacks: list[Stack]) -> None:
    parts = [row[0] for row in column.rows]
    counts = [len(list(leaves(part))) for part in parts]
    result: list[Item] = []
    start = 0
    while start < len(parts):
        first = parts[start]
        joins = isinstance(first, Leaf) and stacks[first.stack].kind == "join"
        # What joins ends a block, it does not begin one.
        length, times = (0, 1) if joins else _longest_run(keys, counts, start)
        if times < 2:
            result.append(first)
            start += 1
            continue
        end = start + length * times
        units = [parts[place : place + length] for place in range(start, end, length)]
        folded = [_folded(_name(unit, stacks), 1, unit, stacks) for unit in units]
        name = f"{folded[0].name} … {folded[-1].name}"
        result.append(_folded(name, times, [*folded], stacks))
        start = end
    column.rows = [[part] for part in result]
    column.links = [[(0, 0)]] * (len(result) - 1)


def _folded(name: str, times: int, parts: list[Item], stacks: list[Stack]) -> Fold:
    block = _column(parts)
    layers = sum(len(stacks[number].layers) for number in leaves(block))
    return Fold(name, times, block, f"{layers} layers")


def _longest_run(keys: list[int], counts: list[int], start: int) -> tuple[int, int]:
    """How many items from `start` on repeat how often: the run that covers most, the shortest unit of it."""
    best = (0, 1)
    for length in range(1, min(LONGEST_UNIT, (len(keys) - start) // 2) + 1):
        unit = keys[start : start + length]
        if sum(counts[start : start + length]) < SMALLEST_UNIT:
            continue
        times = 1
        while keys[start + length * times : start + length * (times + 1)] == unit:
            times += 1
        if times > 1 and length * times > best[0] * best[1]:
            best = (length, times)
    return best


def _name(unit: list[Item], stacks: list[Stack]) -> str:
    """What the names of its stacks begin with, or the first of them."""
    names = [stacks[number].name for item in unit for number in leaves(item)]
    return os.path.commonprefix(names).rstrip("_/-.") or names[0]
