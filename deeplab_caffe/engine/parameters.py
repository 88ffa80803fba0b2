"""A net's parameters: made from the shapes of its blobs, shared where the prototxt says so."""

from collections.abc import Iterable, Mapping

import torch

from ..formats.net_definition import ParamSpec
from ..layers import Layer
from ..layers.parameters import fillers
from ..layers.parameters.parameter import Parameter
from ..types import Shape
from . import dag
from .dag import Graph, Node, Value


def make_parameters(graph: Graph, shapes: Mapping[Value, Shape], seed: int, device: torch.device) -> None:
    """One Parameter for each blob of each layer, the same object where `param { name }` says so."""
    named: dict[str, tuple[Layer, Parameter]] = {}
    number = -1  # of the layer in the file: what is random depends on it
    for node in graph.nodes:
        layer = node.layer
        number += not layer.definition.added
        for i, shape in enumerate(checked_shapes(node, shapes)):
            specs = layer.definition.params
            spec = specs[i] if i < len(specs) else ParamSpec()
            if spec.name in named:
                owner, parameter = named[spec.name]
                if parameter.shape != shape:
                    theirs = f"{dag.text(parameter.shape)} in layer '{owner.name}'"
                    raise layer.error("param", f"'{spec.name}' is {theirs}, {dag.text(shape)} here")
            else:
                make = fillers.maker(layer, i, shape, 1_000_003 * seed + number)
                lr_mult = spec.lr_mult if layer.learning(i) else 0.0
                place = torch.device("cpu") if layer.keeps_parameters_on_host else device
                parameter = Parameter(shape, make, lr_mult, spec.decay_mult, place)
                if spec.name:
                    named[spec.name] = layer, parameter
            layer.blobs.append(parameter)


def check_parameters(graph: Graph, shapes: Mapping[Value, Shape]) -> None:
    """Raises DeepLabError if blobs of these shapes want parameters of other shapes than there are."""
    for node in graph.nodes:
        for i, shape in enumerate(_shapes_of(node, shapes)):
            own = node.layer.blobs[i].shape
            if shape != own:
                wanted = f"this input wants {dag.text(shape)}"
                raise node.layer.error("bottom", f"parameter {i} is {dag.text(own)}, {wanted}")


def unique_parameters(layers: Iterable[Layer]) -> list[Parameter]:
    """Each parameter once, in the order of the layers that have it first."""
    return list(dict.fromkeys(blob for layer in layers for blob in layer.blobs))


def share_parameters(layers: Iterable[Layer], others: Iterable[Layer]) -> None:
    """Gives `layers` the parameters of the layers of the same name among `others`: no copies.

    Raises DeepLabError where shapes differ.
    """
    theirs = {layer.name: layer.blobs for layer in others if layer.blobs}
    for layer in layers:
        blobs = theirs.get(layer.name, layer.blobs)
        for i, (own, blob) in enumerate(zip(layer.blobs, blobs, strict=False)):
            if own.shape != blob.shape:
                shapes = f"{dag.text(own.shape)}, in the other net {dag.text(blob.shape)}"
                raise layer.error("param", f"parameter {i} is {shapes}")
            layer.blobs[i] = blob


def checked_shapes(node: Node, shapes: Mapping[Value, Shape]) -> list[Shape]:
    """The shapes of the layer's parameters; DeepLabError where more `param` are given than it has."""
    wanted = _shapes_of(node, shapes)
    if len(node.layer.definition.params) > len(wanted):
        given = len(node.layer.definition.params)
        raise node.layer.error("param", f"{given} given, the layer has {len(wanted)} parameters")
    return wanted


def _shapes_of(node: Node, shapes: Mapping[Value, Shape]) -> list[Shape]:
    wanted = node.layer.blob_shapes([shapes[value] for value in node.bottoms])
    return [tuple(int(size) for size in shape) for shape in wanted]
