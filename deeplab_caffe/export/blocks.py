"""Finds what a net repeats, and makes a Block of it.

Two runs of nodes are alike if they call the same functions and classes, wired in the same way. Their modules'
names may differ in one part, their modules' arguments in value. Of all runs that come twice, the one whose
block saves the most lines becomes one; then again, now with calls of that block among the nodes.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from . import naming
from .inline import inline_single
from .nodes import Argument, Block, ModuleClass, Node, Parameter, Program, Value, consumers, leaves

_LONGEST = 90  # nodes in a block
_MOST_INPUTS = 2
_MOST_PARAMETERS = 7
_TRIED = 60  # candidates a round, by what they could save
_LEAST = 3.0  # lines that a block must save


@dataclass(frozen=True)
class _Run:
    """Nodes of one list, which may become a block."""

    nodes: list[Node]
    start: int
    length: int

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes[self.start : self.start + self.length])

    def inputs(self) -> list[Value]:
        """What it reads of others, in the order of first use."""
        inside = {value for node in self for value in node.outputs}
        return list(dict.fromkeys(v for node in self for v in node.inputs if v not in inside))

    def names(self) -> list[str]:
        """Those of its modules and blocks."""
        return [node.name for node in self if node.name]


def find_blocks(program: Program, short: int = 0) -> None:
    """Puts blocks in place of what the program repeats.

    short: blocks of so many nodes at most, such as a convolution and what belongs to it, are found before
    longer ones; 0: the longer ones may come first.
    """
    lists = [program.nodes]
    while block := _share(program.nodes, program.outputs, "branch" + (str(len(lists)) if lists[1:] else "")):
        program.blocks.append(block)
        lists.append(block.nodes)
    fixed = _used_again(program)
    for longest in (short, _LONGEST) if short else (_LONGEST,):
        while block := _best(lists, program.outputs, program.blocks, fixed, longest):
            program.blocks.append(block)
    inline_single(program)


def _share(nodes: list[Node], outputs: list[Value], label: str) -> Block | None:
    """The longest run that comes again with the same modules, as a block in all of its places."""
    count = Counter(node.name for node in nodes)
    once = {node for node in nodes if node.made and count[node.name] == 1}
    if len(once) == sum(node.made is not None for node in nodes):
        return None
    same = _Likeness(lambda node: (node.name, *node.arguments.items()), once, len(nodes))
    groups = _alike([nodes], [outputs], same)
    found = [
        runs
        for runs in groups
        if any(node.made for node in runs[0]) and (len(runs) - 1) * _lines(runs[0]) > 4
    ]
    if not found:
        return None
    runs = max(found, key=lambda runs: (len(runs) - 1) * _lines(runs[0]))
    block = Block(label, False, runs[0].inputs(), list(runs[0]))
    _replace(block, runs, [Node([], [], made=block) for _ in runs])
    return block


def _used_again(program: Program) -> set[Node]:
    """Nodes that stay as they are: those whose module others use, too, and parts that run several times."""
    every = [node for nodes in (program.nodes, *(block.nodes for block in program.blocks)) for node in nodes]
    count = Counter(node.name for node in every if node.name)
    tied = {name.rpartition(".")[0] for tie in program.ties for name in tie}
    return {
        node for node in every if count[node.name] > 1 or node.name in tied or isinstance(node.made, Block)
    }


def _best(
    lists: list[list[Node]], outputs: list[Value], blocks: list[Block], fixed: set[Node], longest: int
) -> Block | None:
    """Makes the block that saves most; None if none saves enough."""
    ends = [outputs, *([block.output] for block in blocks if not block.named)]
    groups = _alike(lists, ends, _Likeness(lambda node: tuple(node.arguments), fixed, longest))
    groups.sort(key=_saves, reverse=True)
    best: tuple[float, int, int] | None = None
    chosen: tuple[list[_Run], tuple[str, ...], list[str]] | None = None
    for group in groups[:_TRIED]:
        for runs, holes, parts in _by_names(group):
            if len(_parameters(runs)) > _MOST_PARAMETERS:
                continue
            first = runs[0]
            rank = _saves(runs), -len(first.inputs()), int(next(iter(first)).made is not None)
            if rank[0] >= _LEAST and (best is None or rank > best):
                best, chosen = rank, (runs, holes, parts)
    return None if chosen is None else _make(*chosen, blocks)


@dataclass(frozen=True)
class _Likeness:
    """What of a node must be the same, beside function, class and wiring; which nodes stay out; a limit."""

    of_node: Callable[[Node], Hashable]
    fixed: set[Node]
    longest: int


def _alike(lists: list[list[Node]], ends: list[list[Value]], likeness: _Likeness) -> list[list[_Run]]:
    """All sets of runs, two or more, that are alike and do not overlap."""
    found: dict[int, list[_Run]] = {}
    for nodes, outputs in zip(lists, ends, strict=True):
        for key, run in _runs(nodes, outputs, likeness):
            found.setdefault(key, []).append(run)
    return [apart for runs in found.values() if len(apart := _apart(runs)) > 1]


def _runs(nodes: list[Node], outputs: list[Value], likeness: _Likeness) -> Iterator[tuple[int, _Run]]:
    """Every run that could be a block, with a number that is the same for runs that are alike."""
    read = consumers(nodes, outputs)
    for start in range(len(nodes)):
        key = 0
        inside: dict[Value, int] = {}
        outside: dict[Value, int] = {}
        uses: dict[Value, int] = {}  # of the run's values, those that come behind it
        makes = False
        for length, node in enumerate(nodes[start : start + likeness.longest], 1):
            if node in likeness.fixed:
                break
            wiring = [
                inside[value] if value in inside else 1000 + outside.setdefault(value, len(outside))
                for value in node.inputs
            ]
            if len(outside) > _MOST_INPUTS:
                break
            for value in node.inputs:
                if value in uses:
                    uses[value] -= 1
                    if not uses[value]:
                        del uses[value]
            for value in node.outputs:
                inside[value] = len(inside)
                if read.get(value):
                    uses[value] = read[value]
            makes = makes or node.made is not None
            made = id(node.made) if isinstance(node.made, Block) else node.made
            key = hash((key, node.text, made, tuple(wiring), len(node.outputs), likeness.of_node(node)))
            if length > 1 and makes and len(node.outputs) == 1 and list(uses) == node.outputs:
                yield key, _Run(nodes, start, length)


def _apart(runs: Sequence[_Run]) -> list[_Run]:
    """Those that do not overlap, the first ones first."""
    chosen: list[_Run] = []
    for run in runs:
        last = chosen[-1] if chosen else None
        if last is None or last.nodes is not run.nodes or run.start >= last.start + last.length:
            chosen.append(run)
    return chosen


def _lines(run: _Run) -> float:
    """About how many lines of source the nodes take: one to make each module, and those that call them."""
    return sum((1.6 if node.made else 0.1 if node.unary else 0.7) for node in run)


def _saves(runs: Sequence[_Run]) -> float:
    lines = _lines(runs[0])
    return len(runs) * lines - (1.6 * len(runs) + lines + 4)


def _by_names(runs: Sequence[_Run]) -> Iterator[tuple[list[_Run], tuple[str, ...], list[str]]]:
    """The runs whose names have the same templates, those, and what stands in their holes."""
    groups: dict[tuple[str, ...], list[tuple[_Run, str]]] = {}
    for run in runs:
        if found := naming.templates(run.names()):
            groups.setdefault(found[0], []).append((run, found[1]))
    for holes, members in groups.items():
        if len(members) > 1:
            tidy, parts = naming.tidied(holes, [part for _, part in members])
            if len(set(parts)) == len(parts):
                yield [run for run, _ in members], tidy, parts


def _columns(runs: Sequence[_Run]) -> dict[tuple[int, str], tuple[object, ...]]:
    """For each argument of each node its values, one a run, where they differ."""
    rows = [[node.arguments for node in run] for run in runs]
    columns = {
        (place, name): tuple(row[place][name] for row in rows)
        for place, arguments in enumerate(rows[0])
        for name in arguments
    }
    return {key: values for key, values in columns.items() if len(set(values)) > 1}


def _parameters(runs: Sequence[_Run]) -> dict[tuple[object, ...], Parameter]:
    """The block's parameters by the values they have: equal columns are one.

    What its class has a default for has one here: the value that most runs have.
    """
    by_values: dict[tuple[object, ...], list[tuple[str, bool]]] = {}
    first = list(runs[0])
    for (place, name), values in _columns(runs).items():
        made = first[place].made
        given = made is not None and any(p.name == name and p.default is None for p in made.parameters)
        by_values.setdefault(values, []).append((name.rstrip("0123456789"), given))
    taken: Counter[str] = Counter()
    named: dict[tuple[object, ...], Parameter] = {}
    for values, uses in by_values.items():
        names = [name for name, _ in uses]
        name = "dilation" if "dilation" in names else names[0]
        taken[name] += 1
        default = None if any(given for _, given in uses) else Counter(values).most_common(1)[0][0]
        named[values] = Parameter(name if taken[name] == 1 else f"{name}{taken[name]}", default)
    return named


def _make(runs: list[_Run], holes: tuple[str, ...], parts: list[str], blocks: list[Block]) -> Block:
    """The block of these runs, in their places."""
    parameters = _parameters(runs)
    columns = _columns(runs)
    names = iter(holes)
    body = []
    for place, node in enumerate(runs[0]):
        arguments = {
            name: Argument(parameters[columns[place, name]].name) if (place, name) in columns else value
            for name, value in node.arguments.items()
        }
        name = next(names) if node.name else ""
        body.append(Node(node.inputs, node.outputs, node.text, node.made, name, arguments, node.unary))
    ordered = sorted(parameters.values(), key=lambda p: p.default is not None)
    block = Block(_label(body, blocks), True, runs[0].inputs(), body, tuple(ordered), tuple(parts))
    calls = []
    for number, part in enumerate(parts):
        own = {p.name: values[number] for values, p in parameters.items()}
        calls.append(Node([], [], made=block, name=part, arguments={p.name: own[p.name] for p in ordered}))
    _replace(block, runs, calls)
    return block


def _replace(block: Block, runs: Sequence[_Run], calls: Sequence[Node]) -> None:
    """Puts a call in place of each run."""
    for run, call in zip(runs, calls, strict=True):
        call.inputs, call.outputs = run.inputs(), [list(run)[-1].outputs[0]]
    for run, call in sorted(zip(runs, calls, strict=True), key=lambda pair: -pair[0].start):
        run.nodes[run.start : run.start + run.length] = [call]


def _label(body: Sequence[Node], blocks: Sequence[Block]) -> str:
    """What the block is, in a word, with a number if there is one of that kind already."""
    modules = leaves(body)
    classes = [node.made.name for node in modules if isinstance(node.made, ModuleClass)]
    convolutions = classes.count("nn.Conv2d")
    if any(node.text == "{0} + {1}" for node in body):
        word = "residual"
    elif convolutions == 1:
        word = "conv"
    elif convolutions > 1:
        word = "convs"
    elif any(name.startswith("nn.BatchNorm") for name in classes):
        word = "norm"
    else:
        word = "block"
    used = [block.label for block in blocks]
    number = sum(label.partition("_unit")[0] == word for label in used) + 1
    return f"{word}_unit" + (str(number) if number > 1 else "")
