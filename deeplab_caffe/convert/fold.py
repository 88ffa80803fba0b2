"""Folds BatchNorm and Scale layers into the convolutions in front of them."""

from dataclasses import dataclass

from ..engine.folding import behind_convolutions, folded
from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.records import LayerBlobs
from ..layers.batch_norm import BatchNorm


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
            blobs = list(folded(layer, behind[layer.name]))
            result.folded |= {other.name: layer.name for other in behind[layer.name]}
        result.layers.append(LayerBlobs(layer.name, layer.type, blobs))
    if not result.folded:
        raise DeepLabError(f"{net.definition.source}: no BatchNorm or Scale behind a convolution")
    return result
