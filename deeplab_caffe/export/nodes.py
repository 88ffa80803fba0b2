"""A net as what its PyTorch source says: calls of functions and of modules, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(eq=False)
class Value:
    """A tensor; `name` is its blob's, as a Python identifier. axes: how many it has."""

    name: str
    axes: int = 4


@dataclass(frozen=True)
class Parameter:
    """An argument of a module's class, or of a block. default None: it must be given, by position."""

    name: str
    default: Any = None


@dataclass(frozen=True)
class Argument:
    """In a block's body: the block's own argument of that name."""

    name: str


@dataclass(frozen=True)
class ModuleClass:
    """A class of modules: how the source calls it, and what it is made from."""

    name: str
    parameters: tuple[Parameter, ...]


@dataclass(eq=False)
class Block:
    """Nodes that come several times, under names that differ in one part, or not at all.

    named: whether they differ; then `name` stands for that part in the names of the nodes, and `names` are
    all of those parts. A block without is a part of the net that runs several times, with the same modules.
    """

    label: str
    named: bool
    inputs: list[Value]
    nodes: list["Node"]
    parameters: tuple[Parameter, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def output(self) -> Value:
        """What it gives."""
        return self.nodes[-1].outputs[0]


Maker = ModuleClass | Block

# In the names of a block's nodes, the part that differs.
HOLE = "\0"


@dataclass(eq=False)
class Node:
    """A statement. text: an expression of the inputs {0}, {1}...; or else `made` is called with them.

    name: of the module (as an identifier), or the part that makes the block's names. arguments: of `made`,
    by parameter. unary: whether it is a function of each value, light enough to stand in the same line.
    """

    inputs: list[Value]
    outputs: list[Value]
    text: str = ""
    made: Maker | None = None
    name: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    unary: bool = False


@dataclass
class Program:
    """The whole net. ties: parameters that are one, each with the one that owns it ("conv1.weight").

    input_names, output_names: of the blobs. values: the state dict.
    """

    name: str
    inputs: list[Value]
    outputs: list[Value]
    input_names: list[str]
    output_names: list[str]
    nodes: list[Node]
    values: dict[str, torch.Tensor]
    ties: list[tuple[str, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def consumers(nodes: Sequence[Node], outputs: Sequence[Value]) -> dict[Value, int]:
    """How often each value is read; an output of the whole is read once more."""
    count: dict[Value, int] = {}
    for node in nodes:
        for value in node.inputs:
            count[value] = count.get(value, 0) + 1
    for value in outputs:
        count[value] = count.get(value, 0) + 1
    return count


def leaves(nodes: Sequence[Node]) -> list[Node]:
    """The nodes that make modules of torch's, those in blocks included."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node.made, Block):
            found += leaves(node.made.nodes)
        elif node.made is not None:
            found.append(node)
    return found
