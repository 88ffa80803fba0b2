"""Reads a deploy net; who gives a net for training or testing is told which of those that ship is its own."""

import re
from collections.abc import Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

from ..assets.models import model_path, shipped_nets
from ..engine.read_model import read_model
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..formats.prototxt import read_net, read_text
from ..layers import layer_class

# What variables are taken for where nets are compared: in names the end of the released nets' score layers.
_WORD, _NUMBER = "voc12", "21"
_VARIABLE, _STRING = re.compile(r"\$\{(\w+)\}"), re.compile(r'"[^"\n]*"')
# The share of convolutions, of both nets' together, that two nets must have in common to be called the same.
_ALIKE = 0.8


def read_deploy_net(
    model: str | PathLike[str], variables: Mapping[str, str] | None = None, **rules: Any
) -> NetDefinition:
    """`read_model` of a prototxt, or a net that ships, whose input the caller gives.

    Raises DeepLabError as read_model does, and for a net that feeds itself from data layers: the error names
    the deploy net among those that ship that has its layers.
    """
    path, whole = model_path(model), None
    try:
        definition = read_model(path, variables, **rules)
        if _takes_images(definition):
            return definition
    except DeepLabError:
        # The variables of a net that feeds itself would be of no use.
        whole = _read_anyhow(path, rules)
        if whole is None or _takes_images(whole):
            raise
    raise DeepLabError(
        f"{path}: the net feeds itself from data layers; photos need a deploy net with `input:`, "
        f"{_advice(whole or _read_anyhow(path, rules))} (for a net with data layers use the verb forward)"
    )


def _takes_images(definition: NetDefinition) -> bool:
    return bool(definition.inputs) or any(_is_input(layer.type) for layer in definition.layers)


def _is_input(kind: str) -> bool:
    try:
        return layer_class(kind).fed_by_caller
    except KeyError:
        return False


def _advice(net: NetDefinition | None) -> str:
    """Which shipped nets have this one's convolutions; else where to look."""
    own = _marks(net) if net else frozenset()
    shares = {}
    for shipped in shipped_nets():
        other = _marks_of_shipped(shipped.path)
        shares[shipped.name] = len(own & other) / len(own | other)
    best = max(shares.values(), default=0.0)
    names = [f"--model {name}" for name, share in shares.items() if share == best]
    if best < _ALIKE:
        return "`deeplab-caffe models` lists those that ship"
    return f"such as {' or '.join(names)}, which ships and has its layers"


def _read_anyhow(path: str | PathLike[str], rules: Mapping[str, Any]) -> NetDefinition | None:
    """The net with something for every variable; None if it is broken."""
    try:
        text = read_text(path)
        variables = dict.fromkeys(_VARIABLE.findall(text), _NUMBER)
        variables |= dict.fromkeys(_VARIABLE.findall("".join(_STRING.findall(text))), _WORD)
        return read_net(path, variables, **rules)
    except DeepLabError:
        return None


def _marks(net: NetDefinition) -> frozenset[Any]:
    """What tells nets apart: the dialect, and of each convolution name, outputs, kernel and dilation."""
    fields = [(layer.name, layer.param.convolution_param) for layer in net.layers]
    convolutions = {
        (name, param.num_output, tuple(param.kernel_size), tuple(param.dilation))
        for name, param in fields
        if param.num_output
    }
    return frozenset(convolutions | {net.dialect})


@cache
def _marks_of_shipped(path: Path) -> frozenset[Any]:
    net = _read_anyhow(path, {})
    return _marks(net) if net else frozenset()
