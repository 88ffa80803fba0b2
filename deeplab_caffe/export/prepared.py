"""A net on its way out: the Net, its Program, the source, the module that the source makes."""

import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.net_definition import LayerDefinition, NetDefinition
from ..layers.base import layer_class
from ..types import Pair, Shape
from .blocks import find_blocks
from .nodes import Program
from .source import write_source
from .translate import translate

_SHORT_BLOCKS = (0, 4)  # ways to look for blocks; the shorter source is kept


@dataclass
class Prepared:
    """What the targets write from. example: inputs that trace the module; dynamic: their axes that vary."""

    net: Net
    program: Program
    outputs: tuple[str, ...]
    source: str
    example: tuple[Tensor, ...] = ()
    dynamic: list[set[int]] = field(default_factory=list)

    @cached_property
    def module(self) -> torch.nn.Module:
        """The module of the source with the net's weights."""
        made = types.ModuleType("net")
        sys.modules.setdefault("net", made)
        exec(compile(self.source, "net.py", "exec"), made.__dict__)
        module = getattr(made, self.program.name)()
        module.load_state_dict(self.program.values)
        return module.eval()

    @cached_property
    def exported(self) -> Any:
        """The program of torch.export, for any size."""
        axis = torch.export.Dim.DYNAMIC
        return torch.export.export(
            self.module,
            self.example,
            dynamic_shapes=tuple({i: axis for i in sorted(axes)} for axes in self.dynamic),
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def prepare(net: Net, outputs: Sequence[str] = (), fold: bool = False, weights: str = "net.pt") -> Prepared:
    """Translates a net and writes its source. Raises DeepLabError as `translate` does."""
    found: list[Prepared] = []
    for short in _SHORT_BLOCKS:
        program = translate(net, outputs, fold)
        find_blocks(program, short)
        names = tuple(program.output_names)
        source = write_source(program, net.definition.name or "A net", _shapes(net, program), weights)
        found.append(Prepared(net, program, names, source))
        if not any(block.named for block in program.blocks):
            break
    return min(found, key=lambda prepared: prepared.source.count("\n"))


def _shapes(net: Net, program: Program) -> str:
    """The lines of the docstring that tell what goes in and comes out."""
    given = ", ".join(
        f"{value.name} {_text(net.inputs[name])}"
        for value, name in zip(program.inputs, program.input_names, strict=True)
    )
    return f"Input, of any size that the net takes: {given}. Output: {', '.join(program.output_names)}."


def _text(shape: Shape) -> str:
    return f"({', '.join(['N', *map(str, shape[1:2]), *('H', 'W')[: len(shape) - 2]])})"


def standalone(
    definition: NetDefinition, size: Pair | None, without_crf: bool
) -> tuple[NetDefinition, dict[str, Shape], list[str]]:
    """The net without its data layers and, if wanted, its CRF; the inputs that stand for the data; remarks.

    size: of the images that the data layers give, and of the net's own inputs of that form.
    """
    remarks: list[str] = []
    layers = definition.layers
    if without_crf:
        kept, gone = _without(layers)
        if not gone:
            raise DeepLabError(f"{definition.source}: --without-crf: the net has no DenseCRF")
        remarks.append(f"left out, with what reads it: {', '.join(gone)}")
        definition = replace(definition, layers=tuple(kept))
    inputs: dict[str, Shape] = {}
    for layer in definition.layers:
        if not layer.bottoms and layer.tops and not _fed_by_caller(layer):
            inputs[layer.tops[0]] = (1, 3, *(size or (321, 321)))
            remarks.append(f"input '{layer.tops[0]}' in place of layer '{layer.name}' ({layer.type})")
    return definition, inputs, remarks


def _without(layers: Sequence[LayerDefinition]) -> tuple[list[LayerDefinition], list[str]]:
    kept, gone = [], []
    lost: set[str] = set()
    for layer in layers:
        if layer.type == "DenseCRF" or not lost.isdisjoint(layer.bottoms):
            lost |= set(layer.tops) - set(layer.bottoms)
            gone.append(layer.name)
        else:
            kept.append(layer)
    return kept, gone


def _fed_by_caller(layer: LayerDefinition) -> bool:
    try:
        return layer_class(layer.type).fed_by_caller
    except KeyError:
        raise layer.error("type", f"unknown layer type {layer.type}") from None
