"""Reads PyTorch state dicts, .pth (only tensors and plain containers are unpickled) or .safetensors."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from ..errors import DeepLabError
from .files import file_error
from .safetensors import read_safetensors
from .stored import Floats, StoredArray

# Where training scripts put the state dict, and what wrappers put before each name.
_KEYS = ("state_dict", "model_state_dict", "model_state", "model")
_PREFIXES = ("module.", "model.", "_orig_mod.")


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The tensors of a state dict by name, without a prefix that all names share ("module." and the like).

    Raises DeepLabError for a file that is damaged, or holds anything but tensors.
    """
    if os.fspath(path).endswith(".safetensors"):
        return _plain(read_safetensors(path))
    tensors = _load(path)
    stored = {
        name: StoredArray(tuple(value.shape), partial(_values, value)) for name, value in tensors.items()
    }
    return _plain(stored)


def _load(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    source = os.fspath(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise file_error(path, error) from None
    except MemoryError:
        raise
    except Exception as error:  # pickle, zipfile and torch each have their own for a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DeepLabError(f"{source}: not a PyTorch state dict: {reason}") from None
    for key in _KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise DeepLabError(f"{source}: not a PyTorch state dict: a {type(content).__name__}")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise DeepLabError(f"{source}: no tensors in it: not a PyTorch state dict")
    return tensors


def _values(tensor: torch.Tensor) -> Floats:
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _plain(arrays: dict[str, StoredArray]) -> dict[str, StoredArray]:
    for prefix in _PREFIXES:
        if arrays and all(name.startswith(prefix) for name in arrays):
            return _plain({name.removeprefix(prefix): array for name, array in arrays.items()})
    return arrays
