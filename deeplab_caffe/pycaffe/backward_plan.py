"""Which layers take part in a backward pass, and to which of their bottoms it goes on: Caffe's rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..layers import Layer


@dataclass
class Needs:
    """Of one layer: whether it runs backwards, and for each bottom whether its diff is computed."""

    layer: bool
    bottoms: list[bool]


def backward_needs(layers: Sequence[Layer], force: bool) -> list[Needs]:
    """The needs of each layer. force: the net's force_backward, all diffs that there can be."""
    needs = _learning(layers)
    _under_loss(layers, needs)
    if force:
        for layer, need in zip(layers, needs, strict=True):
            need.layer = True
            # A loss has no gradient in its labels.
            need.bottoms = [wanted or not (layer.loss and i == 1) for i, wanted in enumerate(need.bottoms)]
    return needs


def _learning(layers: Sequence[Layer]) -> list[Needs]:
    """From the bottom up: a layer with a parameter that learns, in it or below it."""
    learning: set[str] = set()
    needs = []
    for layer in layers:
        given = list(layer.definition.param.propagate_down)
        bottoms = [name in learning for name in layer.definition.bottoms]
        below = any(bottoms)
        if given:
            bottoms = [bool(wanted) for wanted in given]
        need = below or any(blob.lr_mult for blob in layer.blobs)
        needs.append(Needs(need, bottoms))
        if need:
            learning.update(layer.definition.tops)
        else:
            learning.difference_update(layer.definition.tops)
    return needs


def _under_loss(layers: Sequence[Layer], needs: Sequence[Needs]) -> None:
    """From the top down: what no loss depends on needs nothing."""
    under_loss: set[str] = set()
    skipped: set[str] = set()
    for layer, need in zip(reversed(layers), reversed(needs), strict=True):
        tops = layer.definition.tops
        loss = any(layer.loss_weights) or not under_loss.isdisjoint(tops)
        if skipped.issuperset(tops):
            need.layer, need.bottoms = False, [False] * len(need.bottoms)
        if not loss:
            need.layer, need.bottoms = False, [False] * len(need.bottoms)
        for name, wanted in zip(layer.definition.bottoms, need.bottoms, strict=True):
            if loss:
                under_loss.add(name)
            if not wanted:
                skipped.add(name)
