"""A net as a torch.nn.Module: parameters for any optimizer, gradients, DistributedDataParallel, autocast."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from typing_extensions import override

from ..layers import Layer
from ..types import Shape


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

    @property
    def inputs(self) -> dict[str, Shape]:
        """The blobs that must be given."""

    def forward_train(self, **inputs: Any) -> TrainResult:
        """Outputs and the loss, for autograd."""


class NetModule(torch.nn.Module):
    """A net that PyTorch trains; `net.module()` makes one.

    Calling it runs `Net.forward_train`: inputs by position or name, none where data layers feed the net; the
    result is a TrainResult, on whose loss `backward()` may be called. Parameters are named
    "layer.number" ("conv1_1.0"); dots in layer names become "_". Parameters that several layers share are
    there once, under the first of them.
    """

    def __init__(self, net: Trainable) -> None:
        super().__init__()
        self.net = net
        for learnable in self.learnables():
            name = learnable.layer.replace(".", "_")
            if name not in self._modules:
                self.add_module(name, torch.nn.Module())
            self.get_submodule(name).register_parameter(str(learnable.index), learnable.tensor)

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
        return self.net.forward_train(**dict(zip(self.net.inputs, positional, strict=False)), **inputs)
