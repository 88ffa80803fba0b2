"""Which BatchNorm and Scale layers do no more than change the convolution in front of them, and how."""

import torch
from torch import Tensor

from ..layers import Layer
from ..layers.batch_norm import BatchNorm
from ..layers.scale import Scale
from . import dag
from .dag import Node, Value
from .net import Net


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


def folded(convolution: Layer, behind: list[Layer]) -> tuple[Tensor, Tensor]:
    """Weights, and bias (channels), that do the work of all of them; computed in float64, rounded once."""
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
    return (weights * factor.view(-1, 1, 1, 1)).float(), offset.float()
