"""From file names and options to a job: what `deeplab-caffe validate` and scripts begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from ..assets.models import model_path
from ..engine.net import Net
from ..engine.read_model import read_model
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..images import image_list
from ..types import Floats, Shape
from . import environment, pairing, passes
from .comparing import Measure
from .files import read_against
from .live import LiveNet
from .passes import Pass, Photographer
from .results import Environment, FileRecord
from .validation import Job

AnyPath = str | PathLike[str]


@dataclass
class Request:
    """What to compare. model, weights, phase, device, precision, threads: of ours, as for Net.

    rules: arguments of read_model besides: variables, level, stages, dialect.

    against: files and folders of theirs; or other_...: another net, weights, precision, device, each as ours
    where it is None. inputs: blobs by name; photos: image files; segmenter: of the same net,
    for them. iterations: passes of a net that feeds itself. paths: files to name in the report, by role.
    """

    model: AnyPath
    weights: AnyPath | None = None
    against: Sequence[AnyPath] = ()
    other_model: AnyPath | None = None
    other_weights: AnyPath | None = None
    other_precision: str | None = None
    other_device: str | None = None
    inputs: Mapping[str, Floats] = field(default_factory=dict)
    photos: Sequence[str] = ()
    segmenter: Photographer | None = None
    iterations: int = 1
    phase: str = "test"
    rules: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "exact"
    threads: int | None = None
    measure: Measure = field(default_factory=Measure)
    paths: Sequence[tuple[str, AnyPath]] = ()

    def job(self) -> Job:
        """Reads the files and builds the nets. Raises DeepLabError for what does not fit."""
        others = self.other_model, self.other_weights, self.other_precision, self.other_device
        if bool(self.against) == any(other is not None for other in others):
            raise DeepLabError(
                "against: files or folders wanted, or another net, weights, precision or device"
            )
        if self.photos and self.inputs:
            raise DeepLabError("input: blobs or photos wanted, not both")
        shapes = {name: array.shape for name, array in self.inputs.items()}
        net = self.segmenter.net if self.segmenter else self._net(self.definition, self.weights, shapes)
        live = None if self.against else LiveNet(self._other(shapes), "the other net")
        catalog = live.catalog if live else read_against([Path(path) for path in self.against])
        writes = pairing.written(self.definition)
        return Job(net, self._passes(net), catalog, self.measure, live, writes, self.segmenter)

    @cached_property
    def definition(self) -> NetDefinition:
        """Ours, as the file has it."""
        return read_model(self.model, phase=self.phase, **self.rules)

    def environment(self, command: str) -> Environment:
        """This machine, and the files that took part."""
        named: list[tuple[str, AnyPath | None]] = [
            ("model", model_path(self.model)),
            ("weights", self.weights),
            ("other model", model_path(self.other_model) if self.other_model else None),
            ("other weights", self.other_weights),
            *self.paths,
            *(("input", Path(photo)) for photo in self.photos),
            *(("against", path) for path in self.against if Path(path).is_file()),
        ]
        files: list[FileRecord] = [environment.record(role, path) for role, path in named if path is not None]
        return environment.describe(command, self.device, self.precision, self.threads, files)

    def _net(
        self, definition: NetDefinition, weights: AnyPath | None, shapes: dict[str, Shape], **other: Any
    ) -> Net:
        options: dict[str, Any] = {"device": self.device, "precision": self.precision, **other}
        definition = pairing.without_writers(definition)
        return Net(definition, weights, phase=self.phase, threads=self.threads, inputs=shapes, **options)

    def _other(self, shapes: dict[str, Shape]) -> Net:
        model = self.other_model
        definition = read_model(model, phase=self.phase, **self.rules) if model else self.definition
        return self._net(
            definition,
            self.other_weights or self.weights,
            _inputs_for(definition, shapes),
            device=self.other_device or self.device,
            precision=self.other_precision or self.precision,
        )

    def _passes(self, net: Net) -> list[Pass]:
        if self.segmenter:
            return passes.of_photos(self.segmenter, list(self.photos))
        missing = [name for name in net.inputs if name not in self.inputs]
        if missing:
            raise DeepLabError(f"{self.model}: input '{missing[0]}' is missing: give it with --input")
        if self.inputs:
            return passes.of_blobs(dict(self.inputs))
        return passes.of_data_layers(self.definition, self.iterations)


def _inputs_for(definition: NetDefinition, shapes: dict[str, Shape]) -> dict[str, Shape]:
    """The inputs that the net has; where there is but one on each side, by its own name."""
    fed = set(definition.inputs).union(*(layer.tops for layer in definition.layers if not layer.bottoms))
    if len(shapes) == 1 and len(fed) == 1:
        return dict(zip(fed, shapes.values(), strict=True))
    return {name: shape for name, shape in shapes.items() if name in fed}


def read_photos(source: Path) -> list[str]:
    """The image files of a list, one a line; paths are relative to the list or to where we are."""
    entries = image_list.read_list(str(source))
    paths = []
    for entry in entries:
        beside = source.parent / entry.image
        paths.append(str(beside) if not Path(entry.image).exists() and beside.exists() else entry.image)
    return paths
