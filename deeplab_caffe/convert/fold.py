"""Folds BatchNorm and Scale layers into the convolutions in front of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..engine import dag
from ..engine.dag import Node, Value
from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.records import LayerBlobs
from ..layers import Layer
from ..layers.batch_norm import BatchNorm
from ..layers.scale import Scale


@dataclass
class Folded:
    """layers: the parameters that remain; folded: the convolution of each BatchNorm or Scale that is gone."""

    layers: list[LayerBlobs]
    folded: dict[str, str]


def fold(net: Net) -> Folded:
    """The net's parameters, each BatchNorm and per-channel Scale right behind a Convolution folded into it.

    Those convolutions then have a bias; BatchNorm counts with its stored statistics. Computed in float64,
    each value rounded once. Raises DeepLabError where a BatchNorm cannot be folded.
    """
    behind = behind_convolutions(net)
    result = Folded([], {})
    for layer in net.layers:
        if not layer.blobs or layer.name in result.folded:
            continue
        if isinstance(layer, BatchNorm):
            raise layer.error("bottom", "no convolution alone in front of it to fold it into")
        blobs = [blob.values() for blob in layer.blobs]
        if layer.name in behind:
            blobs = _folded(layer, behind[layer.name])
            result.folded |= {other.name: layer.name for other in behind[layer.name]}
        result.layers.append(LayerBlobs(layer.name, layer.type, blobs))
    if not result.folded:
        raise DeepLabError(f"{net.definition.source}: no BatchNorm or Scale behind a convolution")
    return result


def behind_convolutions(net: Net) -> dict[str, list[Layer]]:
    """For each convolution that has any, the BatchNorm and per-channel Scale layers right behind it."""
    nodes = dag.connect(net.definition, net.layers).nodes
    readers = dag.readers_of(nodes)
    found = {node.layer.name: _behind(node, readers) for node in nodes if node.layer.type == "Convolution"}
    return {name: layers for name, layers in found.items() if layers}


def _behind(node: Node, readers: dict[Value, list[Node]]) -> list[Layer]:
    """The BatchNorm and Scale layers, in order, that alone read what the convolution gives."""
    behind: list[Layer] = []
    while len(node.tops) == 1 and len(following := readers.get(node.tops[0], [])) == 1:
        node = following[0]
        layer = node.layer
        per_channel = isinstance(layer, BatchNorm) or (isinstance(layer, Scale) and layer.can_be_epilogue())
        if not per_channel:
            break
        behind.append(layer)
    return behind


def _folded(convolution: Layer, behind: list[Layer]) -> list[Tensor]:
    """Weights and bias that do the work of all of them."""
    weights, *bias = (blob.values().double() for blob in convolution.blobs)
    factor = torch.ones(len(weights), dtype=torch.float64)
    offset = bias[0].flatten() if bias else torch.zeros_like(factor)
    for layer in behind:
        first, *rest = (blob.values().double() for blob in layer.blobs)
        if isinstance(layer, BatchNorm):
            variance, divisor = rest
            scale = 0.0 if divisor.item() == 0 else 1 / divisor.item()
            by = (variance * scale + layer.eps).rsqrt()
            offset = (offset - first * scale) * by
        else:
            by = first
            offset = offset * by + (rest[0] if rest else 0)
        factor = factor * by
    return [(weights * factor.view(-1, 1, 1, 1)).float(), offset.float()]
