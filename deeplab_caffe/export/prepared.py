"""A net on its way out: the Net, its Program, the source, the module that the source makes."""

import types
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..engine import dag
from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.net_definition import LayerDefinition, NetDefinition
from ..layers import Context, create
from ..layers.base import layer_class
from ..types import Pair, Shape
from .blocks import find_blocks
from .nodes import Program
from .source import RESERVED, write_source
from .translate import translate

_SIZE = 321  # of images, where nobody tells it
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


def prepare(
    net: Net, outputs: Sequence[str] = (), fold: bool = False, weights: Sequence[str] = ("net.pt",)
) -> Prepared:
    """Translates a net and writes its source, which loads `weights`. DeepLabError as from `translate`."""
    found: list[Prepared] = []
    for short in _SHORT_BLOCKS:
        program = translate(net, outputs, fold)
        program.name += "Net" * (program.name in RESERVED)
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
) -> tuple[NetDefinition, list[str]]:
    """The net without what reads and writes files, and if wanted without its CRF; remarks.

    In place of data layers it has inputs.

    size: of images whose data layer cannot tell it. Raises DeepLabError if there is no CRF.
    """
    remarks: list[str] = []
    if without_crf:
        kept, gone = _without(definition.layers)
        if not gone:
            raise DeepLabError(f"{definition.source}: --without-crf: the net has no DenseCRF")
        remarks.append(f"left out, with what reads it: {', '.join(gone)}")
        definition = replace(definition, layers=tuple(kept))
    writers = [layer for layer in definition.layers if not layer.tops and layer.type != "Silence"]
    if writers:
        remarks.append(f"left out, for they write files: {', '.join(layer.name for layer in writers)}")
        kept = [layer for layer in definition.layers if layer not in writers]
        definition = replace(definition, layers=tuple(kept))
    inputs: dict[str, Shape] = {}
    for layer in definition.layers:
        if not layer.bottoms and layer.tops and not _fed_by_caller(layer):
            own = _fed(layer, size)
            inputs |= own
            remarks.append(f"{', '.join(own)}: input in place of layer '{layer.name}' ({layer.type})")
    fed = dag.fed_by_caller(definition, inputs)
    names = {layer.name for layer in fed.layers}
    lost = [layer.name for layer in definition.layers if layer.bottoms and layer.name not in names]
    if lost:
        remarks.append(f"left out, for they read what else these layers give: {', '.join(lost)}")
    return fed, remarks


def _fed(layer: LayerDefinition, size: Pair | None) -> dict[str, Shape]:
    """The inputs in place of a data layer: its images, of what size it says, or all that it makes up."""
    if layer.type == "DummyData":
        return dict(zip(layer.tops, create(layer, Context()).shape([]), strict=True))
    crop = layer.param.transform_param.crop_size or _SIZE
    return {layer.tops[0]: (1, 3, *(size or (crop, crop)))}


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
