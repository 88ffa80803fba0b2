"""Several processes that train one net: torchrun starts them, DistributedDataParallel joins gradients."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch

# Before a group is there: DistributedDataParallel imports these functions, which keep the group they find as
# a default, and its threads with it, to the end of the interpreter.
import torch.distributed.nn.functional  # noqa: F401
from torch import Tensor, distributed

from ..engine.module import NetModule
from ..errors import DeepLabError
from ..layers import Layer

# While the first process tests and writes, the others wait for its gradients.
_PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Peers:
    """This process's number among those that train together, and how many they are."""

    rank: int = 0
    count: int = 1

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def mean(self, value: Tensor) -> float:
        """The mean of all processes' values."""
        if self.several:
            value = value.detach().clone()
            distributed.all_reduce(value)
            value = value / self.count
        return value.item()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if not self.several:
            return flag
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        raised = torch.tensor(float(flag), device=device)
        distributed.all_reduce(raised)
        return raised.item() > 0


@contextmanager
def join(device: str) -> Iterator[tuple[Peers, str]]:
    """Joins the processes that torchrun started, if it did; gives them and this process's device."""
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Peers(), device
        return
    cuda = device.startswith("cuda")
    if cuda:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    try:
        distributed.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise DeepLabError(f"torchrun's processes cannot meet: {' '.join(str(error).split())}") from None
    try:
        yield Peers(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()


def parallel(module: NetModule, peers: Peers) -> torch.nn.Module:
    """The module, its gradients averaged over the processes; the first one's parameters go to all."""
    if not peers.several:
        return module
    layers = layers_before_losses(module.net.layers)
    idle = any(found.tensor.requires_grad and found.layer not in layers for found in module.learnables())
    return torch.nn.parallel.DistributedDataParallel(module, find_unused_parameters=idle)


def layers_before_losses(layers: list[Layer]) -> set[str]:
    """The names of the layers whose work a loss depends on."""
    names: set[str] = set()
    blobs: set[str] = set()
    for layer in reversed(layers):
        if any(layer.loss_weights) or not blobs.isdisjoint(layer.definition.tops):
            names.add(layer.name)
            blobs.update(layer.definition.bottoms)
    return names
