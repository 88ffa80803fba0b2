"""A net of blobs, parameters and layers that run one by one; what scripts call is in net.py."""

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typing_extensions import Self

from ..assets.models import model_path, weights_path
from ..engine.execution import torch_threads
from ..engine.net import Net as EngineNet
from ..engine.parameters import share_parameters
from ..engine.read_model import read_model
from ..engine.weights import save_weights
from ..errors import DeepLabError
from ..formats import caffe_pb2
from ..formats.net_definition import NetDefinition
from ..layers.memory_data import MemoryData
from ..layers.parts.caffe_blob import Blob, BlobVec
from ..layers.python import PythonLayer
from . import assembly, mode
from .caffe_net import as_caffe_builds
from .glog import warning
from .parameter_blob import ParameterBlob

_PHASES = {caffe_pb2.TRAIN: "train", caffe_pb2.TEST: "test"}
Callback = Callable[[int], object]


class RawNet:
    """A net by pycaffe's rules: Net(network_file, phase, level=0, stages=None, weights=None).

    phase: caffe.TRAIN or caffe.TEST. Older scripts say Net(network_file, weights, phase). Layers of type
    Python run their code. RuntimeError: a file is not there; DeepLabError: what it says is wrong.
    """

    def __init__(self, network_file: str | os.PathLike[str], *arguments: Any, **named: Any) -> None:
        phase, level, stages, weights = _arguments(network_file, *arguments, **named)
        definition = read_model(_there(model_path, network_file), None, phase, level, stages)
        weights = None if weights is None else _there(weights_path, weights)
        self._build(definition, phase, seed=mode.next_seed())
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def of(cls, definition: NetDefinition, phase: str, **options: Any) -> Self:
        """The net of a definition that was read for this phase, "train" or "test"; options: of engine.Net."""
        net = cls.__new__(cls)
        net._build(definition, phase, **options)
        return net

    def _build(self, definition: NetDefinition, phase: str, **options: Any) -> None:
        options = {"keep_blobs": True, "python_layers": True, "device": mode.device(), **options}
        self.engine = EngineNet(as_caffe_builds(definition), phase=phase, **options)
        layers = self.engine.layers
        force = bool(definition.param is not None and definition.param.force_backward)
        device = mode.place_of(self.engine.device)
        self._blobs_by_name = assembly.make_blobs(self.engine, device)
        parameters = assembly.make_parameter_blobs(layers, force, device)
        self._runs = assembly.make_runs(layers, self._blobs_by_name, parameters, force)
        self._layers = [assembly.NetLayer(*pair) for pair in zip(layers, parameters, strict=True)]
        self._callbacks: dict[str, list[Callback]] = {}

    @property
    def blobs(self) -> "OrderedDict[str, Blob]":
        """The blobs by name, from the bottom up."""
        return self._blobs_by_name

    @property
    def layers(self) -> list[assembly.NetLayer]:
        """The layers, those that Caffe adds among them."""
        return self._layers

    @property
    def params(self) -> "OrderedDict[str, BlobVec]":
        """The parameters of the layers that have any, by the layer's name."""
        pairs = zip(self._layer_names, self._layers, strict=True)
        return OrderedDict((name, layer.blobs) for name, layer in pairs if layer.blobs)

    @property
    def _layer_names(self) -> list[str]:
        return [layer.name for layer in self.engine.layers]

    @property
    def _blob_names(self) -> list[str]:
        return list(self._blobs_by_name)

    @property
    def _blobs(self) -> list[Blob]:
        return list(self._blobs_by_name.values())

    @property
    def _blob_loss_weights(self) -> list[float]:
        weights = dict.fromkeys(self._blob_names, 0.0)
        for layer in self.engine.layers:
            weights.update(zip(layer.definition.tops, layer.loss_weights, strict=True))
        return list(weights.values())

    @property
    def _inputs(self) -> list[int]:
        names = self._blob_names
        inputs = (layer for layer in self.engine.layers if layer.type == "Input")
        return [names.index(name) for layer in inputs for name in layer.definition.tops]

    @property
    def _outputs(self) -> list[int]:
        """In the order of names, as Caffe has them."""
        unread: set[str] = set()
        for layer in self.engine.layers:
            unread.difference_update(layer.definition.bottoms)
            unread.update(layer.definition.tops)
        return [self._blob_names.index(name) for name in sorted(unread)]

    def _bottom_ids(self, layer: int) -> list[int]:
        names = self._blob_names
        return [names.index(name) for name in self.engine.layers[layer].definition.bottoms]

    def _top_ids(self, layer: int) -> list[int]:
        names = self._blob_names
        return [names.index(name) for name in self.engine.layers[layer].definition.tops]

    def _forward(self, start: int, end: int) -> float:
        """Runs the layers from `start` to `end`, that one included; the loss."""
        loss = 0.0
        with torch_threads(self.engine.context.threads):
            for number in range(start, end + 1):
                self._call("before_forward", number)
                loss += self._runs[number].forward()
                self._call("after_forward", number)
        return loss

    def _backward(self, start: int, end: int) -> None:
        """Runs the layers backwards from `start` down to `end`, that one included."""
        with torch_threads(self.engine.context.threads):
            for number in range(start, end - 1, -1):
                self._call("before_backward", number)
                self._runs[number].backward()
                self._call("after_backward", number)

    def before_forward(self, run: Callback) -> None:
        """From now on run(number of the layer) before each layer's forward."""
        self._callbacks.setdefault("before_forward", []).append(run)

    def after_forward(self, run: Callback) -> None:
        """The same after it."""
        self._callbacks.setdefault("after_forward", []).append(run)

    def before_backward(self, run: Callback) -> None:
        """The same before each layer's backward."""
        self._callbacks.setdefault("before_backward", []).append(run)

    def after_backward(self, run: Callback) -> None:
        """The same after it."""
        self._callbacks.setdefault("after_backward", []).append(run)

    def _call(self, when: str, number: int) -> None:
        for run in self._callbacks.get(when, ()):
            run(number)

    def reshape(self) -> None:
        """All blobs follow the shapes of the inputs."""
        for run in self._runs:
            run.reshape()

    def clear_param_diffs(self) -> None:
        """The diffs of all parameters are 0."""
        for layer in self._layers:
            for blob in layer.blobs:
                blob.diff_there.zero_()

    def copy_from(self, weights: str | os.PathLike[str]) -> None:
        """Reads a caffemodel, HDF5 too, into the layers of the same name."""
        if not self.params:
            return
        self.engine.load(_there(weights_path, weights))
        self.renew()

    def refresh(self) -> None:
        """Before somebody reads the parameters: what scripts have written is there."""
        for blob in self._parameters:
            blob.refresh()

    def renew(self) -> None:
        """After the parameters were changed past the blobs."""
        for blob in self._parameters:
            blob.renew()

    @property
    def _parameters(self) -> list[ParameterBlob]:
        """Without those of Python layers, which are in main memory as they are."""
        blobs = (blob for layer in self._layers for blob in layer.blobs)
        return [blob for blob in blobs if isinstance(blob, ParameterBlob)]

    def load_hdf5(self, weights: str | os.PathLike[str]) -> None:
        """The same."""
        self.copy_from(weights)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the parameters as a caffemodel."""
        self._save(path, "v2")

    def save_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Writes the parameters as HDF5."""
        self._save(path, "hdf5")

    def _save(self, path: str | os.PathLike[str], layout: str) -> None:
        self.refresh()
        save_weights(path, self.engine.layers, layout, self.engine.definition.name)

    def share_with(self, other: "RawNet") -> None:
        """Takes the parameters of the layers of the same name: who changes them changes both nets'."""
        share_parameters(self.engine.layers, other.engine.layers)
        for layer, own in zip(self.engine.layers, self._layers, strict=True):
            if isinstance(layer, PythonLayer):
                assembly.connect_python_layer(layer)
            for blob, parameter in zip(own.blobs, layer.blobs, strict=True):
                if isinstance(blob, ParameterBlob):
                    blob.parameter = parameter

    def _set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        first = self.engine.layers[0] if self.engine.layers else None
        if not isinstance(first, MemoryData):
            raise RuntimeError("set_input_arrays may only be called if the first layer is a MemoryDataLayer")
        first.reset(torch.from_numpy(data), torch.from_numpy(labels))


def _arguments(
    network_file: Any,
    *arguments: Any,
    phase: Any = None,
    level: int = 0,
    stages: Any = None,
    weights: Any = None,
) -> tuple[str, int, list[str], Any]:
    """Phase, level, stages and weights of the ways to make a net."""
    if arguments and isinstance(arguments[0], str | os.PathLike):
        weights, *arguments = arguments  # type: ignore[assignment]
        phase = arguments[0] if arguments else phase
        phase = caffe_pb2.TEST if phase is None else phase
        warning("DEPRECATION WARNING - deprecated use of Python interface")
        warning(f"Use this instead: Net('{network_file}', {phase}, weights='{weights}')")
    elif arguments:
        rest = dict(zip(("phase", "level", "stages", "weights"), arguments, strict=False))
        phase, level = rest["phase"], rest.get("level", level)
        stages, weights = rest.get("stages", stages), rest.get("weights", weights)
    if phase not in _PHASES:
        raise TypeError(f"Net: phase {phase!r} given, caffe.TRAIN or caffe.TEST wanted")
    return _PHASES[phase], int(level), list(stages or ()), weights


def _there(find: Callable[[Any], Path], file: str | os.PathLike[str]) -> Path:
    """The path of a file, or of what ships under that name; a RuntimeError with pycaffe's words if none."""
    try:
        path = find(file)
    except DeepLabError:
        path = Path(file)
    if not path.exists():
        raise RuntimeError(f"Could not open file {os.fspath(file)}")
    return path
