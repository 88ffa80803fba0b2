"""Writes a Program as the source of a Python module that imports torch alone."""

import builtins
import keyword
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from . import classes as classes_of
from . import helpers
from .layout import loop, wrapped
from .literals import text
from .nodes import HOLE, Argument, Block, Node, Program, Value, leaves
from .statements import Statement, names_by_blob, names_by_letter, statements

_HEAD = '''"""{title}

{shapes}
"""

import torch
import torch.nn.functional as F
from torch import nn
'''
_LOAD = '''
def load(path="{weights}"):
    """The net with the weights of a state dict's file, ready to run."""
    net = {name}()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()
'''
# Where a file of safetensors is written, too.
_LOAD_ANY = '''
def load(path="{weights}"):
    """The net with the weights of a file (.pt or .safetensors), ready to run."""
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file  # the only thing that is not torch's

        weights = load_file(path)
    else:
        weights = torch.load(path, weights_only=True)
    net = {name}()
    net.load_state_dict(weights)
    return net.eval()
'''
RESERVED = {
    *("F", "nn", "torch", "self", "load", "name", "i"),
    *helpers.FUNCTIONS,
    *helpers.CLASSES,
    *keyword.kwlist,
    *dir(builtins),
}
_INDENT = " " * 8
_LONGEST_NAMES = 76


def write_source(program: Program, title: str, shapes: str, weights: Sequence[str] = ("net.pt",)) -> str:
    """The source. title, shapes: lines of its docstring; weights: files for `load`, its default first."""
    taken = {name.rpartition(".")[0] for name in program.values}
    for block in program.blocks:
        while block.label in taken or f"add_{block.label}" in taken:
            block.label += "_"
    body = _init(program)
    parts = [_part(block) if not block.named else _named(block) for block in program.blocks]
    forward = _function("forward", program.inputs, program.nodes, program.outputs, by_blob=True)
    lines = [f"class {program.name}(nn.Module):", *body, "", *forward]
    for part in parts:
        lines += ["", *part]
    said = "\n".join(lines) + "\n"
    functions = _used(helpers.FUNCTIONS, said)
    classes = _used(helpers.CLASSES, said)
    if "Scale" in classes and _plain_scales(program):
        classes["Scale"] = helpers.PLAIN_SCALE
    title, shapes = _harmless(title), _harmless(shapes)
    load = _LOAD_ANY if any(name.endswith(".safetensors") for name in weights) else _LOAD
    sources = [
        *functions.values(),
        *classes.values(),
        f"\n{said}",
        load.format(weights=weights[0], name=program.name),
    ]
    return _HEAD.format(title=title, shapes=shapes) + "".join(f"\n{source}" for source in sources)


def _harmless(said: str) -> str:
    """A net's and its blobs' names, which may be anything, for a docstring."""
    return " ".join(re.sub(r"[\\\"]|[^ -~]", " ", said).split())


def _used(known: dict[str, str], said: str) -> dict[str, str]:
    """Those that the source calls, and what they call themselves."""
    used: dict[str, str] = {}
    for name, source in reversed(known.items()):
        if re.search(rf"(?<![\w.]){name}\(", said + "".join(used.values())):
            used[name] = source
    return dict(reversed(used.items()))


def _plain_scales(program: Program) -> bool:
    """Whether each Scale has a factor and a summand for each channel, of image planes."""
    given = [node.arguments for node in leaves(program.nodes) if node.made is classes_of.SCALE]
    return all(
        one["bias"] is True and one["behind"] == 2 and not isinstance(one["channels"], tuple) for one in given
    )


def _init(program: Program) -> list[str]:
    lines = ["    def __init__(self):", f"{_INDENT}super().__init__()"]
    lines += _makes(program.nodes, set())
    lines += [f"{_INDENT}self.{own} = self.{owner}" for own, owner in program.ties]
    return lines


def _makes(nodes: Sequence[Node], done: set[tuple[int, str]]) -> list[str]:
    """The lines that make the modules, each once."""
    lines: list[str] = []
    makers: list[Node] = []
    for node in nodes:
        if node.made is None or (id(node.made), node.name) in done:
            continue
        done.add((id(node.made), node.name))
        makers.append(node)

    def alike(node: Node) -> Any:
        named = isinstance(node.made, Block) and node.made.named
        return (id(node.made), *node.arguments.items()) if named else id(node)

    for _, group in groupby(makers, alike):
        members = list(group)
        node = members[0]
        if isinstance(node.made, Block) and not node.made.named:
            lines += _makes(node.made.nodes, done)
        elif isinstance(node.made, Block):
            head, name = (
                loop([m.name for m in members], _INDENT) if len(members) > 1 else ("", _quoted(node.name))
            )
            indent = _INDENT + "    " * bool(head)
            lines += wrapped(head) if head else []
            lines += wrapped(f"{indent}self.add_{node.made.label}({_given(node, [name])})")
        else:
            assert node.made is not None
            lines += wrapped(f"{_INDENT}self.{node.name} = {node.made.name}({_given(node)})")
    return lines


def _given(node: Node, before: Sequence[str] = ()) -> str:
    """What a class or block is made with: by position what must be given, by name what is not as usual."""
    assert node.made is not None
    said = list(before)
    for parameter in node.made.parameters:
        value = node.arguments[parameter.name]
        if parameter.default is None:
            said.append(_value(value))
        elif isinstance(value, Argument) or value != parameter.default:
            said.append(f"{parameter.name}={_value(value)}")
    return ", ".join(said)


def _value(value: Any) -> str:
    return value.name if isinstance(value, Argument) else text(value)


def _quoted(name: str) -> str:
    """A name in a block's body, or anywhere else."""
    if name == HOLE:
        return "name"
    return f'f"{name.replace(HOLE, "{name}")}"' if HOLE in name else f'"{name}"'


def _call(node: Node) -> str:
    """How the source calls a module or block, with the inputs as {0}, {1}..."""
    inputs = ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
    if isinstance(node.made, Block):
        name = f"{_quoted(node.name)}, " if node.made.named else ""
        return f"self.{node.made.label}({name}{inputs})"
    if HOLE in node.name:
        name = _quoted(node.name)
        return f"getattr(self, {name})({inputs})"
    return f"self.{node.name}({inputs})"


def _part(block: Block) -> list[str]:
    """A part of the net that runs several times with the same modules."""
    return _function(block.label, block.inputs, block.nodes, [block.output], by_blob=True)


def _named(block: Block) -> list[str]:
    """The function that makes a block's modules, and the one that computes it."""
    parameters = ["self", "name"]
    parameters += [p.name if p.default is None else f"{p.name}={text(p.default)}" for p in block.parameters]
    lines = wrapped(f"    def add_{block.label}({', '.join(parameters)}):")
    for node in block.nodes:
        if isinstance(node.made, Block):
            lines += wrapped(f"{_INDENT}self.add_{node.made.label}({_given(node, [_quoted(node.name)])})")
        elif node.made is not None:
            lines += wrapped(
                f"{_INDENT}self.add_module({_quoted(node.name)}, {node.made.name}({_given(node)}))"
            )
    head, *body = _function(block.label, block.inputs, block.nodes, [block.output], by_blob=False)
    return [*lines, "", head, f'{_INDENT}"""{_told(block.names)}"""', *body]


def _told(names: Sequence[str]) -> str:
    """How often a block comes, and under which names."""
    shown = [*names[:2], *(["..."] if len(names) > 3 else []), *names[2:][-1:]]
    times = f"{len(names)} times, name: "
    if len(times) + sum(map(len, shown)) > _LONGEST_NAMES:
        shown = [names[0], "..."]
    return f"{times}{', '.join(shown)}"


def _function(
    name: str, inputs: Sequence[Value], nodes: Sequence[Node], results: Sequence[Value], by_blob: bool
) -> list[str]:
    """A method that computes the nodes; by_blob: variables are named after blobs, else x, y, z."""
    lines = statements(nodes, results, _call)
    ends = lines[-1].outputs == list(results) if lines else False
    if by_blob:
        named = names_by_blob([*lines, Statement([], "", list(results))], inputs, RESERVED)
    else:
        named = names_by_letter([*lines, Statement([], "", list(results))], inputs)
    arguments = ["self", *(["name"] if not by_blob else []), *(named[value] for value in inputs)]
    said = [f"    def {name}({', '.join(arguments)}):"]

    def write(line: Statement) -> str:
        values = [named[value] for value in line.inputs]
        filled = re.sub(r"\{(\d+)\}", lambda m: values[int(m[1])], line.text)
        return filled

    body = lines[:-1] if ends else lines
    place = 0
    while place < len(body):
        run = _chain(body[place:], named)
        line = body[place]
        if len(run) > 1:
            head, word = loop([node.name for node in run], _INDENT)
            target = named[line.outputs[0]]
            assert isinstance(run[0].made, Block)
            said += [*wrapped(head), f"{_INDENT}    {target} = self.{run[0].made.label}({word}, {target})"]
        else:
            targets = ", ".join(named[value] for value in line.outputs)
            said += wrapped(f"{_INDENT}{targets} = {write(line)}")
        place += len(run) or 1
    if ends:
        return [*said, *wrapped(f"{_INDENT}return {write(lines[-1])}")]
    return [*said, f"{_INDENT}return {', '.join(named[value] for value in results)}"]


def _chain(lines: Sequence[Statement], named: dict[Value, str]) -> list[Node]:
    """The calls of one block in a row, each with the result of the one before, all in one variable."""
    run: list[Node] = []
    for line in lines:
        node = line.unit
        if node is None or HOLE in node.name or (run and node.made is not run[0].made):
            break
        names = {named[value] for value in (*line.inputs, *line.outputs)}
        if len(names) > 1 or len(line.inputs) != 1 or len(line.outputs) != 1:
            break
        run.append(node)
    return run
