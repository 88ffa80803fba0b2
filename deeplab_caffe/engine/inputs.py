"""What callers give a net, as tensors."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DeepLabError
from ..layers import Layer
from ..layers.memory_data import MemoryData
from ..types import Shape
from . import dag


def check_names(given: Iterable[str], inputs: Mapping[str, Shape], source: str) -> None:
    """DeepLabError where a name is none of the net's inputs. source: names the net."""
    for name in given:
        if name not in inputs:
            known = ", ".join(inputs) or "none, its data layers feed the net"
            raise DeepLabError(f"{source}: no input is named '{name}'; inputs: {known}")


def from_memory(layers: Iterable[Layer], given: dict[str, Any]) -> dict[str, Any]:
    """What a caller gives, and the next batches of MemoryData layers that he gives nothing for."""
    for layer in layers:
        if isinstance(layer, MemoryData) and given.keys().isdisjoint(layer.definition.tops):
            given = given | layer.next_batch()
    return given


def as_tensors(
    given: Mapping[str, Any],
    inputs: Mapping[str, Shape],
    source: str,
    device: torch.device,
    differentiable: bool = False,
) -> dict[str, Tensor]:
    """What a caller gives for some of the net's inputs, which are of these shapes so far; see as_tensor."""
    check_names(given, inputs, source)
    return {name: as_tensor(name, x, len(inputs[name]), device, differentiable) for name, x in given.items()}


def as_tensor(name: str, value: Any, dims: int, device: torch.device, differentiable: bool = False) -> Tensor:
    """A caller's array as a contiguous float32 tensor on `device`, without a copy where it is one.

    dims: how many dimensions input `name` has. differentiable: a tensor that has a gradient, or is float64,
    stays as it is. Raises DeepLabError for anything but real numbers of so many dimensions.
    """
    try:
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.ascontiguousarray(value))
    except TypeError:
        kind = getattr(value, "dtype", type(value).__name__)
        raise DeepLabError(f"input '{name}': {kind} given, numbers wanted") from None
    if tensor.is_complex():
        raise DeepLabError(f"input '{name}': {tensor.dtype} given, real numbers wanted")
    if tensor.dim() != dims:
        raise DeepLabError(f"input '{name}': {dag.text(tuple(tensor.shape))} given, {dims} dimensions wanted")
    tensor = tensor.to(device)
    if differentiable and (tensor.requires_grad or tensor.dtype == torch.float64):
        return tensor
    return plain(tensor.detach())


def plain(tensor: Tensor) -> Tensor:
    """The tensor as contiguous float32."""
    return tensor.to(torch.float32).contiguous()
