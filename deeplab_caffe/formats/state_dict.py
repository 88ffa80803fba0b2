"""Reads PyTorch state dicts; only tensors and plain containers are unpickled."""

import os
import re
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..errors import DeepLabError
from .files import file_error
from .registry import ARRAYS, Format
from .stored import Floats, StoredArray, without_wrappers

# What torch says -> in a line, with what to do.
_REASONS = {
    "TorchScript": "a TorchScript module; torch.save its state_dict()",
    "Weights only load failed": "more than tensors in it, a whole module say; torch.save its state_dict()",
}
# Where training scripts put the state dict.
_KEYS = ("state_dict", "model_state_dict", "model_state", "model")


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The tensors of a state dict by name, without a prefix that all names share ("module." and the like).

    Raises DeepLabError for a file that is damaged, or holds anything but tensors.
    """
    tensors = _load(path)
    stored = {
        name: StoredArray(tuple(value.shape), partial(_values, value)) for name, value in tensors.items()
    }
    return without_wrappers(stored)


def _load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    source = os.fspath(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of TorchScript, which the error below tells
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise file_error(path, error) from None
    except MemoryError:
        raise
    except Exception as error:  # pickle, zipfile and torch each have their own for a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        for sign, plain in _REASONS.items():
            reason = plain if sign in reason else reason
        raise DeepLabError(f"{source}: not a PyTorch state dict: {reason}") from None
    for key in _KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise DeepLabError(f"{source}: not a PyTorch state dict: a {type(content).__name__}")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise DeepLabError(f"{source}: no tensors in it: not a PyTorch state dict")
    return tensors


def _values(tensor: Tensor) -> Floats:
    return tensor.detach().to(torch.float32).contiguous().numpy()


_PICKLED = re.compile(rb"PK\x03\x04|\x80[\x02-\x05]")  # in a zip archive, or bare as long ago

ARRAYS.register(Format("PyTorch state dict", (".pth", ".pt"), read_state_dict, magic=_PICKLED))
