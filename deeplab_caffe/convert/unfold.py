"""Puts batch normalisation behind the convolutions of a net that was trained without, or had it folded."""

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..engine.folding import behind_convolutions
from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.file_blob import in_memory
from ..formats.records import LayerBlobs
from ..formats.weights import read_layers
from ..layers import Layer
from ..layers.batch_norm import BatchNorm


def unfold(net: Net, weights: str | os.PathLike[str], inputs: Mapping[str, Any] | None = None) -> list[str]:
    """Fills `net`, which has BatchNorm and Scale behind convolutions, from the caffemodel of a plain one.

    One batch is run, of the net's own data or of `inputs` (arrays by name, as Net.forward takes them): each
    BatchNorm takes the statistics of its input, its Scale undoes them, so that the net computes what the
    plain one did. `fold` is the inverse. Gives the names of the convolutions; DeepLabError if a layer is
    missing in the file or does not fit.
    """
    inputs = dict(inputs or {})
    if lacking := [name for name in net.inputs if name not in inputs]:
        raise DeepLabError(
            f"{net.definition.source}: data layers wanted, or a batch for its inputs {', '.join(lacking)}"
        )
    stored = {layer.name: layer for layer in read_layers(weights)}
    pairs = {name: _pair(net, name, behind) for name, behind in behind_convolutions(net).items()}
    if not pairs:
        raise DeepLabError(f"{net.definition.source}: no BatchNorm and Scale behind a convolution")
    inside = {layer.name for pair in pairs.values() for layer in pair}
    factors: dict[str, Tensor] = {}
    biases: dict[str, Tensor] = {}
    for layer in net.layers:
        if layer.name in inside or not layer.blobs:
            continue
        values = _values(layer, stored, weights, extra=layer.name in pairs)
        if layer.name in pairs:
            factors[layer.name], values[0] = _like_msra(values[0])
            biases[layer.name] = values.pop().flatten() if len(values) > len(layer.blobs) else torch.zeros(1)
        for blob, value in zip(layer.blobs, values, strict=True):
            blob.data = value

    statistics: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(index: int, layer: Layer, tops: dict[str, Tensor]) -> None:
        if layer.name not in pairs:
            return
        norm, scale = pairs[layer.name]
        x, factor = next(iter(tops.values())).double(), factors[layer.name]
        variance, mean = statistics[layer.name] = torch.var_mean(x, (0, 2, 3), correction=0)
        scale.blobs[0].data = (variance + norm.eps).sqrt() / factor
        scale.blobs[1].data = mean / factor + biases[layer.name]

    net.forward(on_layer=watch, **inputs)
    # Only now: in the training phase the pass itself adds to what is stored.
    for name, (variance, mean) in statistics.items():
        for blob, value in zip(pairs[name][0].blobs, (mean, variance, torch.ones(1)), strict=True):
            blob.data = value
    return list(pairs)


def _like_msra(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Factor for each filter, and the weights so scaled: to the norm that the msra filler gives on average.

    A normalised convolution computes the same at any scale, but the larger its weights the smaller the steps
    it learns in: so learning rates for nets that start from fillers fit.
    """
    norms = weights.double().flatten(1).norm(dim=1)
    factor = torch.where(norms > 0, 2**0.5 / norms, 1)
    return factor, weights * factor.view(-1, 1, 1, 1)


def _pair(net: Net, name: str, behind: list[Layer]) -> tuple[BatchNorm, Layer]:
    match behind:
        case [BatchNorm() as norm, Layer(type="Scale", blobs=[_, _]) as scale]:
            return norm, scale
    raise DeepLabError(
        f"{net.definition.source}: layer '{name}': BatchNorm and Scale with bias_term wanted behind it"
    )


def _values(
    layer: Layer, stored: dict[str, LayerBlobs], source: str | os.PathLike[str], extra: bool
) -> list[Tensor]:
    """The file's blobs of a layer; `extra`: a bias, which the net's convolution lacks, may follow."""
    blobs = [in_memory(blob) for blob in stored[layer.name].blobs] if layer.name in stored else []
    wanted = [blob.count for blob in layer.blobs]
    counts = [blob.numel() for blob in blobs]
    with_bias = [*wanted, layer.blobs[0].shape[0]]
    if counts != wanted and not (extra and len(wanted) == 1 and counts == with_bias):
        raise DeepLabError(
            f"{os.fspath(source)}: layer '{layer.name}': blobs of {counts} values, {wanted} wanted"
        )
    return blobs
