"""What callers give a net, as tensors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DeepLabError
from . import dag


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
