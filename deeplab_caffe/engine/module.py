"""A net as a torch.nn.Module: parameters for any optimizer, gradients, DistributedDataParallel, autocast."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from typing_extensions import Self, override

from ..errors import DeepLabError
from ..layers import Layer
from ..layers.parameters.parameter import Parameter
from ..types import Shape
from . import torch_names

_EXPORT = (
    "torch cannot trace this package's kernels: `deeplab-caffe export` writes the net as plain PyTorch, "
    "TorchScript, torch.export or ONNX"
)


class TrainResult(NamedTuple):
    """The net's loss (a single number) and its outputs by blob name."""

    loss: Tensor
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class Learnable:
    """One parameter blob: the layer that owns it, its number there, its values and Caffe's multipliers."""

    layer: str
    index: int
    tensor: torch.nn.Parameter
    lr_mult: float
    decay_mult: float


class Trainable(Protocol):
    """What a NetModule needs of a Net."""

    layers: list[Layer]
    phase: str

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def inputs(self) -> dict[str, Shape]:
        """The blobs that must be given."""

    def forward_train(self, **inputs: Any) -> TrainResult:
        """Outputs and the loss, for autograd."""


class NetModule(torch.nn.Module):
    """A net that PyTorch trains; `net.module()` makes one.

    Calling it runs `Net.forward_train`: inputs by position or name, none where data layers feed the net; the
    result is a TrainResult, on whose loss `backward()` may be called.

    `state_dict()` has PyTorch's names and shapes ("conv1_1.weight", see torch_names), and `load_state_dict`
    takes them; of BatchNorm it has the statistics, the divisor applied. Parameters are named alike, in the
    shapes of Caffe's blobs; those of BatchNorm are its blobs, "bn1.blob0". What several layers share is there
    once, under the first of them. `train()` and `eval()` set the phase of the net, that of the module at
    first: Dropout and BatchNorm follow it, the layers that the prototxt has for one phase only do not.

    The net stays on its device: moving the module elsewhere is a DeepLabError, and so is tracing it.
    """

    def __init__(self, net: Trainable) -> None:
        super().__init__()
        self.net = net
        self._places = _places(net.layers)
        for place in self._places:
            if place.module not in self._modules:
                self.add_module(place.module, _LayerModule(net.layers[place.layer].definition.type))
            self.get_submodule(place.module).register_parameter(place.name, place.blob(net.layers).tensor)
        self.training = net.phase == "train"
        for module in self.children():
            module.training = self.training

    def learnables(self) -> list[Learnable]:
        """All parameter blobs in the order of the layers, those that do not learn (lr_mult 0) included."""
        found: dict[int, Learnable] = {}
        for layer in self.net.layers:
            for i, blob in enumerate(layer.blobs):
                learnable = Learnable(layer.name, i, blob.tensor, blob.lr_mult, blob.decay_mult)
                found.setdefault(id(blob), learnable)
        return list(found.values())

    @override
    def forward(self, *positional: Any, **inputs: Any) -> TrainResult:
        """Keyword `outputs` as in Net.forward."""
        if torch.jit.is_tracing() or torch.compiler.is_exporting():
            raise DeepLabError(_EXPORT)
        for place in self._places:
            own = getattr(self._modules[place.module], place.name)
            if own is not place.blob(self.net.layers).tensor:
                raise DeepLabError(
                    f"module: {place.module}.{place.name} is not the net's own parameter any more, which it "
                    "computes with: change that in place (or see `deeplab-caffe export`)"
                )
        if len(positional) > len(self.net.inputs):
            raise DeepLabError(f"module: {len(positional)} inputs given, the net has {len(self.net.inputs)}")
        return self.net.forward_train(**dict(zip(self.net.inputs, positional, strict=False)), **inputs)

    @override
    def train(self, mode: bool = True) -> Self:
        """Dropout draws, and BatchNorm takes the batch's statistics unless the prototxt says otherwise."""
        self.net.phase = "train" if mode else "test"
        return super().train(mode)

    def __prepare_scriptable__(self) -> None:
        """torch.jit.script asks for it."""
        raise DeepLabError(_EXPORT)

    @override
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        place = fn(torch.empty(0, device=self.net.device)).device
        if place != self.net.device:
            raise DeepLabError(
                f"module: the net computes on {self.net.device} and cannot be moved to {place}: "
                f"make it there, Net(..., device='{place}')"
            )
        return super()._apply(fn, recurse)

    @override
    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for entry in torch_names.entries(self.net.layers):
            blobs = [blob.tensor if keep_vars else blob.tensor.detach() for blob in entry.layer.blobs]
            destination[prefix + entry.name] = entry.to_torch(blobs)

    @override
    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """All layers at once; torch's own BatchNorm counts its batches, which is ignored here."""
        entries = {prefix + entry.name: entry for entry in torch_names.entries(self.net.layers)}
        counts = {name.rpartition(".")[0] + ".num_batches_tracked" for name in entries}
        for name, entry in entries.items():
            if name not in state_dict:
                missing_keys.append(name)
                continue
            values = state_dict[name]
            if not isinstance(values, Tensor):
                error_msgs.append(f"{name}: {type(values).__name__} given, a torch.Tensor wanted.")
                continue
            if tuple(values.shape) != entry.shape:
                error_msgs.append(
                    f"size mismatch for {name}: copying a param with shape {tuple(values.shape)} from "
                    f"checkpoint, the shape in current model is {entry.shape}."
                )
                continue
            if entry.layer.type == "BatchNorm":
                _apply_divisor(entry.layer)
            entry.layer.blobs[entry.index].data = entry.to_caffe(values)
        others = (name for name in state_dict if name.startswith(prefix))
        unexpected_keys += [name for name in others if name not in entries and name not in counts]


def _apply_divisor(layer: Layer) -> None:
    """Makes a BatchNorm's divisor 1, with the same statistics."""
    divisor = layer.blobs[2].values().item()
    if divisor == 1:
        return
    for blob in layer.blobs[:2]:
        blob.data = blob.values() * (1 / divisor if divisor else 0)
    layer.blobs[2].data = torch.ones(1)


class _LayerModule(torch.nn.Module):
    """The parameters of a layer of that type; the NetModule stores and loads them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    @override
    def _get_name(self) -> str:
        return self._kind

    @override
    def extra_repr(self) -> str:
        return ", ".join(f"{name}={tuple(p.shape)}" for name, p in self._parameters.items() if p is not None)

    @override
    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        pass

    @override
    def _load_from_state_dict(self, *arguments: Any) -> None:
        pass


@dataclass(frozen=True)
class _Place:
    """Where a parameter is: `name` in the module `module`; in the net, a blob of a layer, by number."""

    module: str
    name: str
    layer: int
    index: int

    def blob(self, layers: list[Layer]) -> Parameter:
        """The blob."""
        return layers[self.layer].blobs[self.index]


def _places(layers: list[Layer]) -> list[_Place]:
    """Of each blob once."""
    modules = torch_names.module_names(layers)
    names = {
        (id(entry.layer), entry.index): entry.name.rpartition(".")[2]
        for entry in torch_names.entries(layers)
        if entry.layer.type != "BatchNorm"
    }
    found: dict[int, _Place] = {}
    for number, layer in enumerate(layers):
        for index, blob in enumerate(layer.blobs):
            name = names.get((id(layer), index), f"blob{index}")
            found.setdefault(id(blob), _Place(modules[layer.name], name, number, index))
    return list(found.values())
