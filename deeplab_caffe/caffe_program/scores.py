"""What Caffe prints of a net's outputs: their sums in float32, as its programs take them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from typing_extensions import override

from ..engine.net import Net
from ..layers import Layer

_F = np.float32
# Caffe prints every value of every output, a line each: of a map of scores, millions.
MOST = 1000


@dataclass(frozen=True)
class Score:
    """One number of an output blob; weight: with which the blob counts in the loss, or 0."""

    name: str
    value: np.float32
    weight: float

    @override
    def __str__(self) -> str:
        """`name = value (* weight = product loss)`, the bracket for losses only."""
        bracket = f" (* {self.weight:.6g} = {_F(self.weight) * self.value:.6g} loss)" if self.weight else ""
        return f"{self.name} = {self.value:.6g}{bracket}"


def loss_weights(net: Net) -> dict[str, float]:
    """The blobs that count in the net's loss, with their weights."""
    found = {}
    for layer in net.layers:
        for name, weight in zip(layer.definition.tops, layer.loss_weights, strict=True):
            if weight:
                found[name] = float(weight)
    return found


def scores(net: Net, outputs: dict[str, Tensor]) -> list[Score]:
    """The numbers of these outputs, blobs in the order of their names, as Caffe has them.

    Blobs of more than MOST numbers are left out.
    """
    weights = loss_weights(net)
    return [
        Score(name, value, weights.get(name, 0.0))
        for name in sorted(outputs)
        if outputs[name].numel() <= MOST
        for value in outputs[name].detach().cpu().flatten().numpy().astype(_F)
    ]


@dataclass(frozen=True)
class Averages:
    """Means over some runs of a net: of its loss, and of each number of its outputs."""

    loss: np.float32
    scores: list[Score]


def average(
    net: Net,
    iterations: int,
    each: Callable[[int, list[Score]], object] = lambda number, found: None,
    go_on: Callable[[], bool] = lambda: True,
) -> Averages | None:
    """Runs the net; None if `go_on`, asked before each run, says no. each: called after each run."""
    weights = loss_weights(net)
    hidden: dict[str, np.float32] = {}  # losses that a layer reads, so that they are no outputs

    def watch(index: int, layer: Layer, tops: dict[str, Tensor]) -> None:
        hidden.update((name, _sum(top)) for name, top in tops.items() if name in weights)

    on_layer = watch if weights.keys() - net.outputs.keys() else None
    loss, total, last = _F(0), np.zeros(0, _F), []
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(iterations):
            if not go_on():
                return None
            # All layers run, those that only write files as well.
            outputs = net.forward(on_layer=on_layer)
            sums = hidden if on_layer else {name: _sum(outputs[name]) for name in weights}
            loss = _F(loss + sum((_F(weight) * sums[name] for name, weight in weights.items()), _F(0)))
            last = scores(net, outputs)
            values = np.asarray([score.value for score in last], _F)
            total = values if number == 0 else total + values
            each(number, last)
        means = total / _F(iterations)
        mean_loss = _F(loss / _F(iterations))
    pairs = zip(last, means, strict=True)
    return Averages(mean_loss, [Score(score.name, mean, score.weight) for score, mean in pairs])


def _sum(blob: Tensor) -> np.float32:
    return _F(blob.sum().item())
