"""A change of ours or theirs that somebody may have made: what a hypothesis is tried with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ...formats.net_definition import LayerDefinition, NetDefinition
from ...types import Floats
from ..pairing import Ours

Inputs = dict[str, Floats]
OfBlob = Callable[[Floats, Ours], Floats]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Variant:
    """change: for people. The others are applied where they are given.

    inputs: new arrays for what feeds the net, from the old ones. layer: each layer's new definition.
    parameter: new values for parameter `number` of a layer, or None for the old ones. ours, theirs: a blob's
    array, of ours or theirs, as it is to be compared. weights: a file to read the parameters from.
    final: theirs has what the last layer that works in place left in each blob.
    """

    change: str
    inputs: Callable[[Inputs], Inputs] | None = None
    layer: Callable[[LayerDefinition], LayerDefinition] | None = None
    parameter: Callable[[LayerDefinition, int, Floats], Floats | None] | None = None
    ours: OfBlob | None = None
    theirs: OfBlob | None = None
    weights: Path | None = None
    final: bool = False

    @property
    def keeps_ours(self) -> bool:
        """Whether our net computes what it did."""
        changes = self.inputs, self.layer, self.parameter, self.weights
        return all(change is None for change in changes) and not self.final

    def definition(self, net: NetDefinition) -> NetDefinition:
        """The net with its layers changed."""
        if self.layer is None:
            return net
        return replace(net, layers=tuple(self.layer(layer) for layer in net.layers))

    def then(self, other: "Variant") -> "Variant":
        """Both changes, this one first."""
        return Variant(
            change=f"{self.change}; {other.change}",
            inputs=_both(self.inputs, other.inputs),
            layer=_both(self.layer, other.layer),
            parameter=_both_parameters(self, other),
            ours=_both_blobs(self.ours, other.ours),
            theirs=_both_blobs(self.theirs, other.theirs),
            weights=other.weights or self.weights,
            final=self.final or other.final,
        )


def _both(
    first: Callable[[Result], Result] | None, second: Callable[[Result], Result] | None
) -> Callable[[Result], Result] | None:
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _both_blobs(one: OfBlob | None, two: OfBlob | None) -> OfBlob | None:
    if one is None or two is None:
        return one or two
    return lambda values, ours: two(one(values, ours), ours)


def _both_parameters(
    first: Variant, second: Variant
) -> Callable[[LayerDefinition, int, Floats], Floats | None] | None:
    one, two = first.parameter, second.parameter
    if one is None or two is None:
        return one or two

    def both(layer: LayerDefinition, number: int, values: Floats) -> Floats | None:
        changed = one(layer, number, values)
        again = two(layer, number, values if changed is None else changed)
        return changed if again is None else again

    return both
