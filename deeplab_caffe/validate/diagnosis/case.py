"""The evidence of a difference, and trying changes on it: small nets, only as far as they must run."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from ...engine.net import Net
from ...errors import DeepLabError
from ...formats.net_definition import NetDefinition
from ...layers import Layer
from ...types import Doubles, Floats, Shape
from ..comparing import Measure, compare_blob, label_map
from ..live import NotComputedError
from ..pairing import INPUT, Ours
from ..passes import Pass
from ..results import Comparison
from ..theirs import Theirs
from ..validation import Job, as_theirs
from .exact import exact_values
from .flow import Flow, Part, Value
from .running import EnoughError, array_of, captured, changed_net, run
from .variant import Inputs, Variant

SAME = Variant("nothing")


@dataclass
class Case:
    """A blob that differs, the probe, with all before it that may be wrong.

    comparisons: of the pass it is in. base: changes that have proved right already. `inputs` are the net's
    own and those its data layers give.
    """

    job: Job
    single: Pass
    probe: Comparison
    comparisons: Sequence[Comparison]
    base: Variant = SAME
    also_weights: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._nets: dict[tuple[str, ...], Net] = {}  # with our layers and weights, for inputs of any size
        self.net = self.job.net
        self.measure: Measure = self.job.measure
        self.flow = Flow(self.net.definition)
        self.value: Value = self.probe.index, self.probe.blob
        equal = [
            (c.index, c.blob)
            for c in self.comparisons
            if c.status in ("equal", "close") and c.kind in ("blob", "input") and c.index < self.probe.index
        ]
        self.suspects: set[Value] = self.flow.suspects(self.value, equal)
        self.ours: Ours = next(o for o in self.job.ours if (o.index, o.blob) == self.value)
        partners = self.job.plan.of(self.single.number, *self.value)
        self.partner: Theirs = next(t for t in partners if t.where == self.probe.theirs)

    # What is suspected

    @cached_property
    def layers(self) -> list[int]:
        """The suspected layers by index, in order."""
        return sorted({index for index, _ in self.suspects if index != INPUT and self._computes(index)})

    def _computes(self, index: int) -> bool:
        return bool(self.net.definition.layers[index].bottoms)

    @cached_property
    def sources(self) -> list[Value]:
        """What feeds the net, as far as it is suspected."""
        return [value for value in self.flow.sources() if value in self.suspects]

    def of_type(self, *types: str) -> list[int]:
        """The suspected layers of these types, by index."""
        return [index for index in self.layers if self.net.definition.layers[index].type in types]

    # Values

    @cached_property
    def their_values(self) -> Floats | None:
        """Theirs at the probe, None where only a hash is known."""
        if self.partner.read is None:
            return None
        if self.job.live is None:
            return np.array(self.partner.read(), np.float32)
        self.job.live.begin(self.inputs_of_pass)
        try:
            return np.array(self.partner.read(), np.float32)
        finally:
            self.job.live.end()

    @cached_property
    def inputs_of_pass(self) -> Inputs:
        """What the caller gives."""
        return self.single.load()

    @cached_property
    def feeds(self) -> dict[Value, Floats]:
        """The values of all sources: inputs, and tops of data layers."""
        given = self.inputs_of_pass
        sources = self.flow.sources()
        known = {v: np.asarray(given[v[1]], np.float32) for v in sources if v[1] in given}
        missing = set(sources) - known.keys()
        if missing:
            self.net.seek(self.single.number)
            known |= captured(self.net, missing, given)
        return known

    @cached_property
    def boundary(self) -> dict[Value, Floats]:
        """What the suspected layers read from the others, and the feeds among them."""
        read = {value for index in self.layers for value in self.flow.reads[index]}
        wanted = {value for value in read if value[0] not in self.layers}
        known = {value: self.feeds[value] for value in wanted if value in self.feeds}
        return known | self._capture(wanted - known.keys())

    @cached_property
    def our_values(self) -> Floats:
        """Ours at the probe."""
        return self.values(SAME)

    def value_of(self, value: Value) -> Floats:
        """Any blob of ours, with what has proved right already."""
        if value in self.feeds:
            return self._fed(self.base)[value]
        return self.boundary[value] if value in self.boundary else self._capture({value})[value]

    def labels(self, variant: Variant) -> Floats:
        """Ours at the probe as a label map, as large as theirs."""
        theirs = self.partner.read().shape if self.partner.read else ()
        values = as_theirs(self.values(variant), self.partner, self.single, self.net)
        return label_map(values, theirs, self.single.size)

    def _capture(self, wanted: set[Value]) -> dict[Value, Floats]:
        """Blobs of a run of the whole net, with what has proved right already."""
        if not wanted:
            return {}
        net, indices, inputs = self._whole(self.base)
        places = {(indices.index(index), blob): (index, blob) for index, blob in wanted}
        return {places[value]: array for value, array in captured(net, set(places), inputs).items()}

    def _whole(self, variant: Variant) -> tuple[Net, list[int], Inputs]:
        """The whole net with a change, fed by us; its layers by index; its inputs."""
        inputs = {name: array for (_, name), array in self._fed(variant).items()}
        layers = self.net.definition.layers
        indices = [index for index, layer in enumerate(layers) if layer.bottoms]
        shapes = {name: array.shape for name, array in inputs.items()}
        definition = replace(
            self.net.definition, layers=tuple(layers[index] for index in indices), inputs=shapes
        )
        return self._net(definition, variant, inputs), indices, inputs

    # Trying

    def values(self, variant: Variant) -> Floats:
        """Ours at the probe with a change. DeepLabError: the net, or theirs' shape, does not fit it."""
        if variant is not SAME and variant.keeps_ours:
            return self.our_values
        variant = self._with_base(variant)
        if self.value in self.feeds:
            return self._fed(variant)[self.value]
        if variant.final:
            last = max(i for i, layer in enumerate(self.net.definition.layers) if self.value[1] in layer.tops)
            return self.value_of((last, self.value[1]))
        inputs = {name: self._changed(value, variant) for name, value in self.part.inputs.items()}
        net = self._net(self.part.definition, variant, inputs)
        self._check_shape(net, inputs, variant)
        index = self.part.indices.index(self.value[0])
        found: dict[str, Floats] = {}

        def on_layer(at: int, layer: Layer, tops: dict[str, Tensor]) -> None:
            if at == index and self.value[1] in tops:
                found["probe"] = array_of(tops[self.value[1]])
                raise EnoughError

        run(net, on_layer, inputs)
        if "probe" not in found:
            raise DeepLabError(f"{self.probe.layer}: blob '{self.probe.blob}' was not computed")
        return found["probe"]

    def _check_shape(self, net: Net, inputs: Inputs, variant: Variant) -> None:
        """DeepLabError: an input of another size gives the probe a shape that is not theirs; nothing ran."""
        if variant.inputs is None or variant.theirs is not None or self.partner.kind != "blob":
            return
        net.reshape(**{name: array.shape for name, array in inputs.items() if name in net.inputs})
        shape = list(net.blobs[self.value[1]].shape)
        if shape not in (self.probe.shape, self.probe.their_shape):
            raise DeepLabError(f"gives {shape}, theirs is {self.probe.their_shape}")

    def _with_base(self, variant: Variant) -> Variant:
        return variant if self.base is SAME else self.base.then(variant)

    def compare(self, variant: Variant) -> Comparison:
        """The probe with a change. DeepLabError: the net does not go with it."""
        values = self.values(variant)
        whole = self._with_base(variant)
        return self._compared(self.ours, values, self.partner, whole, self.their_values)

    def compare_all(self, variant: Variant) -> list[Comparison]:
        """All pairs of the pass with a change."""
        variant = self._with_base(variant)
        found: list[Comparison] = []
        net, indices, inputs = self._whole(variant)
        ours = {(one.index, one.blob): one for one in self.job.ours}
        earlier: dict[str, list[Value]] = {}
        for one in self.job.ours if variant.final else ():
            earlier.setdefault(one.blob, []).append((one.index, one.blob))

        def see(value: Value, array: Floats) -> None:
            for theirs in self.job.plan.of(self.single.number, *value):
                with suppress(NotComputedError):
                    found.append(self._compared(ours[value], array, theirs, variant))

        def on_layer(at: int, layer: Layer, tops: dict[str, Tensor]) -> None:
            for name, tensor in tops.items():
                value = indices[at], name
                for seen in [value] if not variant.final else earlier[name] if ours[value].last else []:
                    see(seen, array_of(tensor, copy=False))

        if self.job.live is not None:
            self.job.live.begin(self.inputs_of_pass)
        try:
            for value, array in self._fed(variant).items():
                see(value, array)
            run(net, on_layer, inputs)
        finally:
            if self.job.live is not None:
                self.job.live.end()
        return found

    def _compared(
        self, ours: Ours, values: Floats, theirs: Theirs, variant: Variant, other: Floats | None = None
    ) -> Comparison:
        if variant.ours is not None:
            values = variant.ours(values, ours)
        if theirs.read is not None:
            array = np.asarray(theirs.read() if other is None else other, np.float32)
            if variant.theirs is not None:
                array = variant.theirs(array, replace(ours, shape=values.shape))
            theirs = replace(theirs, read=lambda: array)
        values = as_theirs(values, theirs, self.single, self.net)
        return compare_blob(ours, values, theirs, self.measure, size=self.single.size)

    @cached_property
    def part(self) -> Part:
        """The suspected layers up to the probe, as a net of their own."""
        needed = {index for index in self.layers if index <= self.value[0]}
        shapes: dict[Value, Shape] = {value: x.shape for value, x in {**self.feeds, **self.boundary}.items()}
        return self.flow.part(needed, shapes)

    @cached_property
    def exact(self) -> Doubles:
        """What the probe should be but for roundings."""
        inputs = {name: self._changed(value, self.base) for name, value in self.part.inputs.items()}
        net = self._net(self.part.definition, self.base, inputs)
        return exact_values(net, inputs, self.part.indices.index(self.value[0]), self.value[1])

    def _changed(self, value: Value, variant: Variant) -> Floats:
        if value in self.feeds:
            return self._fed(variant)[value]
        return self.boundary[value]

    def _fed(self, variant: Variant) -> dict[Value, Floats]:
        if variant.inputs is None:
            return self.feeds
        changed = variant.inputs({name: array for (_, name), array in self.feeds.items()})
        return {value: np.ascontiguousarray(changed[value[1]], np.float32) for value in self.feeds}

    def _net(self, definition: NetDefinition, variant: Variant, inputs: Inputs) -> Net:
        shapes = {name: array.shape for name, array in inputs.items()}
        definition = replace(
            definition, inputs={name: shapes.get(name, shape) for name, shape in definition.inputs.items()}
        )
        changes = variant.layer, variant.parameter, variant.weights
        plain = all(change is None for change in changes)
        key = tuple(layer.name for layer in definition.layers)
        if plain and key in self._nets:
            return self._nets[key]
        net = changed_net(self.net, definition, variant)
        if plain:
            self._nets[key] = net
        return net
