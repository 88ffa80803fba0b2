"""Which layers a blob depends on, and which of them may be wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ...formats.net_definition import NetDefinition
from ...types import Shape

Value = tuple[int, str]  # what layer number `index` left in a blob; -1: an input of the net
INPUT = -1


@dataclass
class Flow:
    """The values that each layer of a net reads and writes."""

    definition: NetDefinition
    reads: list[list[Value]] = field(default_factory=list)

    def __post_init__(self) -> None:
        last: dict[str, Value] = {name: (INPUT, name) for name in self.definition.inputs}
        for index, layer in enumerate(self.definition.layers):
            self.reads.append([last[name] for name in layer.bottoms])
            last.update({name: (index, name) for name in layer.tops})

    def sources(self) -> list[Value]:
        """The net's inputs and what its data layers give."""
        values = [(INPUT, name) for name in self.definition.inputs]
        for index, layer in enumerate(self.definition.layers):
            if not layer.bottoms:
                values += [(index, name) for name in layer.tops]
        return values

    def ancestors(self, values: Iterable[Value]) -> set[Value]:
        """These values and all that they are made from."""
        found: set[Value] = set()
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if value not in found:
                found.add(value)
                waiting += self.reads[value[0]] if value[0] != INPUT else []
        return found

    def suspects(self, probe: Value, equal: Iterable[Value]) -> set[Value]:
        """What `probe` is made from, less what the `equal` values, which are right, are made from."""
        return self.ancestors([probe]) - self.ancestors(equal)

    def part(self, needed: set[int], shapes: dict[Value, Shape]) -> "Part":
        """A net of the layers `needed` (by index) alone: its inputs are the values they read from others.

        shapes: at least of those.
        """
        inputs: dict[str, Value] = {}
        for index in sorted(needed):
            for value in self.reads[index]:
                if value[0] not in needed and inputs.setdefault(value[1], value) != value:
                    # A blob before and behind a layer that works in place: both have that name.
                    return self.part(set(range(max(needed) + 1)) - self._data_layers(), shapes)
        indices = sorted(needed)
        own = {name: shapes[value] for name, value in inputs.items()}
        layers = tuple(self.definition.layers[index] for index in indices)
        return Part(replace(self.definition, layers=layers, inputs=own), inputs, indices)

    def _data_layers(self) -> set[int]:
        return {index for index, layer in enumerate(self.definition.layers) if not layer.bottoms}


@dataclass(frozen=True)
class Part:
    """Some layers of a net as a net. inputs: the value each input stands for; indices: in the whole net."""

    definition: NetDefinition
    inputs: dict[str, Value]
    indices: list[int]
