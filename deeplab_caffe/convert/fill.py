"""Fills a net's layers from variables of other programs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..engine.cost import analyse
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..formats.records import LayerBlobs
from ..formats.stored import StoredArray
from ..types import Shape
from .layouts import Layout, Rule

AVERAGE = "/ExponentialMovingAverage"
_LISTED = 8  # names in an error's one line


@dataclass
class Filled:
    """The layers with parameters, and the variables that went into none of them.

    used: how many variables did. training: those that only training needs; unused: the others.
    """

    layers: list[LayerBlobs] = field(default_factory=list)
    used: int = 0
    training: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def fill(
    definition: NetDefinition,
    layout: Layout,
    variables: Mapping[str, StoredArray],
    source: str,
    averages: bool = False,
) -> Filled:
    """The blobs of each layer of the net that has parameters, read from `variables`.

    source: names the file in errors. averages: take a variable's moving average where the file has one.
    Raises DeepLabError: variables are missing (which, and what is left over, tells another backbone), or one
    has another shape than the net wants. Nothing is read before all of them fit.
    """
    wanted = _wanted(definition, layout)
    chosen = {
        rule.variable: rule.variable + AVERAGE
        if averages and rule.variable + AVERAGE in variables
        else rule.variable
        for _, _, rules in wanted
        for rule, _ in rules
        if rule.variable
    }
    if averages and not any(name.endswith(AVERAGE) for name in chosen.values()):
        raise DeepLabError(f"{source}: no moving averages ({AVERAGE[1:]}) of this net's variables in it")
    result = Filled(used=len(chosen))
    left = sorted(variables.keys() - chosen.keys() - set(chosen.values()))
    for name in left:
        (result.training if layout.training(name, variables.keys()) else result.unused).append(name)
    missing = sorted(name for name in chosen if name not in variables)
    if missing:
        raise DeepLabError(
            f"{source}: not the weights of {definition.name}: {len(missing)} of {len(chosen)} variables are "
            f"missing: {listed(missing)}; left over: {listed(result.unused)}"
        )
    for _, _, rules in wanted:
        for rule, shape in rules:
            if rule.variable:
                _check_shape(variables[chosen[rule.variable]], rule, shape, source)
    for name, kind, rules in wanted:
        blobs = [
            _blob(variables[chosen[rule.variable]] if rule.variable else None, rule) for rule, _ in rules
        ]
        result.layers.append(LayerBlobs(name, kind, blobs))
    return result


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) or "none") + more


def _wanted(definition: NetDefinition, layout: Layout) -> list[tuple[str, str, list[tuple[Rule, Shape]]]]:
    """Name and type of each layer with parameters; per blob where it comes from, and its shape."""
    layers = []
    for layer, cost in zip(definition.layers, analyse(definition).layers, strict=True):
        if cost.parameter_shapes:
            depthwise = layer.param.convolution_param.group > 1
            rules: Iterable[Rule] = layout.rules(layer.name, layer.type, depthwise)
            layers.append((layer.name, layer.type, list(zip(rules, cost.parameter_shapes, strict=False))))
    return layers


def _check_shape(array: StoredArray, rule: Rule, blob: Shape, source: str) -> None:
    shape = rule.variable_shape(blob)
    if array.shape != shape:
        raise DeepLabError(
            f"{source}: variable '{rule.variable}': shape {list(array.shape)} in the file, "
            f"{list(shape)} in the net"
        )


def _blob(array: StoredArray | None, rule: Rule) -> Tensor:
    if array is None:
        return torch.ones(1)
    values = array.read()
    return torch.from_numpy(np.ascontiguousarray(values.transpose(rule.axes) if rule.axes else values))
