"""Runs a net and compares every blob with theirs while it runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from .. import layers, ops
from ..engine.net import Net
from ..types import Floats, plane
from .comparing import Measure, compare_blob, compare_parameter
from .headline import headline
from .live import LiveNet, NotComputedError
from .pairing import INPUT, Ours, Plan, blobs_of, pair
from .passes import Pass, Photographer
from .results import Comparison, Diagnosis, Environment, Layer, Unpaired, Validation
from .theirs import Catalog, Theirs

Progress = Callable[[], None]  # called after each layer


@dataclass
class Job:
    """What is compared: our net on some passes, and theirs. The net has no layers that write files.

    live: theirs, if it is another net, whose catalog is `catalog` then. writes: see pairing.written.
    segmenter: what prepares photos, if there are any.
    """

    net: Net
    passes: list[Pass]
    catalog: Catalog
    measure: Measure = field(default_factory=Measure)
    live: LiveNet | None = None
    writes: list[tuple[str, str, str]] = field(default_factory=list)
    segmenter: Photographer | None = None

    def __post_init__(self) -> None:
        self.ours: list[Ours] = blobs_of(self.net, self.writes)
        self.plan: Plan = pair(self.ours, self.net, self.passes, self.catalog)

    def compare(self, progress: Progress = lambda: None) -> list[Comparison]:
        """All pairs, in the net's order, pass by pass; parameters first. Raises DeepLabError."""
        passes = self.passes if self.plan.pairs else []  # weights alone need no run
        return self._parameters() + [c for one in passes for c in self.compare_pass(one, progress)]

    def _parameters(self) -> list[Comparison]:
        params = self.net.params
        return [
            compare_parameter(one, params[one.layer][number].values().cpu().numpy(), theirs, self.measure)
            for one, number, theirs in self.plan.parameters
        ]

    def compare_pass(self, single: Pass, progress: Progress = lambda: None) -> list[Comparison]:
        """The pairs of one pass."""
        watch = _Watch(self, single)
        inputs = single.load()
        if self.live is not None:
            self.live.begin(inputs)
        try:
            for one in self.ours:
                if one.index == INPUT and one.blob in inputs:
                    watch.see(one, np.ascontiguousarray(inputs[one.blob], np.float32))

            def on_layer(index: int, layer: layers.Layer, tops: dict[str, Tensor]) -> None:
                watch.on_layer(index, tops)
                progress()

            self.net.forward(on_layer=on_layer, **inputs)
        finally:
            if self.live is not None:
                self.live.end()
        return watch.found


class _Watch:
    """Looks at the blobs of one pass as they come."""

    def __init__(self, job: Job, single: Pass) -> None:
        self.job, self.single = job, single
        self.found: list[Comparison] = []
        self.differs = False
        self.ours = {(one.index, one.blob): one for one in job.ours}
        self.several = len(job.passes) > 1

    def on_layer(self, index: int, tops: dict[str, Tensor]) -> None:
        for blob, tensor in tops.items():
            if self.job.plan.of(self.single.number, index, blob):
                self.see(self.ours[index, blob], tensor)

    def see(self, one: Ours, values: Tensor | Floats) -> None:
        for theirs in self.job.plan.of(self.single.number, one.index, one.blob):
            try:
                comparison = compare_blob(
                    one,
                    as_theirs(values, theirs, self.single, self.job.net),
                    theirs,
                    self.job.measure,
                    image=(self.single.name or str(self.single.number)) if self.several else "",
                    size=self.single.size,
                    picture=not self.differs or bool(one.files),
                )
            except NotComputedError:
                continue
            self.differs = self.differs or comparison.status in ("different", "shape")
            self.found.append(comparison)


def as_theirs(values: Tensor | Floats, theirs: Theirs, single: Pass, net: Net) -> Floats:
    """A blob as an array; scores of a photo as large as the net's input, or as the photo it was made from."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if single.size is not None and theirs.kind != "blob" and tensor.dim() == 4:
        size = single.size if single.resized else plane(next(iter(net.inputs.values())))
        if plane(tensor.shape) != size and tensor.shape[2] * tensor.shape[3] > 1:
            tensor = ops.interp(tensor.float().contiguous(), size)
    return tensor.detach().float().cpu().contiguous().numpy()


def first_difference(comparisons: list[Comparison]) -> int | None:
    """The number of the first that is neither equal nor close."""
    return next((i for i, c in enumerate(comparisons) if c.status in ("different", "shape")), None)


Diagnose = Callable[[Job, list[Comparison], int], Diagnosis]


def validate(
    job: Job,
    environment: Environment,
    diagnose: Diagnose | None = None,
    progress: Progress = lambda: None,
) -> Validation:
    """Compares everything and, if something differs, asks `diagnose` why."""
    start = time.perf_counter()
    comparisons = job.compare(progress)
    seconds = {"forward and comparison": time.perf_counter() - start}
    first, diagnosis = first_difference(comparisons), None
    if first is not None and diagnose is not None:
        start = time.perf_counter()
        diagnosis = diagnose(job, comparisons, first)
        seconds["diagnosis"] = time.perf_counter() - start
    return Validation(
        equal=first is None,
        headline=headline(comparisons, first, diagnosis),
        environment=environment,
        ulp=job.measure.ulp,
        tolerance=job.measure.tolerance,
        comparisons=comparisons,
        unpaired_ours=job.plan.unpaired_ours + _never(job, comparisons),
        unpaired_theirs=job.plan.unpaired_theirs,
        layers=_layers(job.net),
        first=first,
        diagnosis=diagnosis,
        seconds=seconds,
    )


def _never(job: Job, comparisons: list[Comparison]) -> list[Unpaired]:
    """Pairs that were not compared: a precision that makes one pass of several layers lacks their blobs."""
    seen = {(c.index, c.blob) for c in comparisons}
    paired = {(index, blob) for _, index, blob in job.plan.pairs}
    reason = "not computed: the precision makes one pass of several layers"
    names = [one.name for one in job.ours if (one.index, one.blob) in paired - seen]
    return [Unpaired(name, reason) for name in names]


def _layers(net: Net) -> list[Layer]:
    shapes = {name: list(blob.shape) for name, blob in net.blobs.items()}
    return [
        Layer(
            index,
            layer.name,
            layer.type,
            list(layer.definition.bottoms),
            list(layer.definition.tops),
            [shapes[top] for top in layer.definition.tops],
        )
        for index, layer in enumerate(net.layers)
    ]
