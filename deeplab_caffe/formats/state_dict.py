"""Reads PyTorch state dicts; only tensors and plain containers are unpickled."""

import os
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from functools import partial
from typing import IO, Any

import torch
from torch import Tensor

from ..errors import DeepLabError, one_line
from .files import check_archive, check_memory, file_size, open_file, reading
from .registry import ARRAYS, Format
from .stored import Floats, StoredArray, without_wrappers

# What torch says -> in a line, with what to do.
_REASONS = {
    "TorchScript": "a TorchScript module; torch.save its state_dict()",
    "Weights only load failed": "more than tensors in it, a whole module say; torch.save its state_dict()",
}
# torch takes a time that grows with the square of a name's length to say that it does not know it.
_LONGEST_NAME = 1000
# Before the storages of a file that is no zip archive: magic number, protocol, system, content, keys.
_BARE_PICKLES = 5
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
    with open_file(path) as file, reading(path, "not a PyTorch state dict"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of TorchScript, which the error below tells
        check_archive(file, path)
        _check_names(file)
        try:
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            for sign, plain in _REASONS.items():
                if sign in str(error):
                    raise DeepLabError(f"{source}: not a PyTorch state dict: {plain}") from None
            raise
        if isinstance(content, torch.jit.ScriptModule):  # torch 2.4 loads them
            raise DeepLabError(f"{source}: not a PyTorch state dict: {_REASONS['TorchScript']}")
    for key in _KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise DeepLabError(f"{source}: not a PyTorch state dict: a {type(content).__name__}")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise DeepLabError(f"{source}: no tensors in it: not a PyTorch state dict")
    size = file_size(path)
    for name, value in tensors.items():
        where = f"tensor '{one_line(name)}'"
        if value.layout != torch.strided or value.is_meta or value.is_quantized or value.is_nested:
            raise DeepLabError(f"{source}: {where}: sparse, quantised or without values: not read")
        if value.is_complex():
            raise DeepLabError(f"{source}: {where}: {value.dtype}: not read")
        # One value of a file may stand for many (a stride of 0).
        check_memory(path, size, value.numel() * (value.element_size() + 4), where)
    return tensors


def _check_names(file: IO[bytes]) -> None:
    """ValueError for pickles that are damaged or name what no program has."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    with archive.open(name) as pickled:
                        _check_pickle(pickled)
    else:
        file.seek(0)
        if file.read(1) == b"\x80":
            file.seek(0)
            for _ in range(_BARE_PICKLES):
                _check_pickle(file)
    file.seek(0)


def _check_pickle(file: IO[bytes]) -> None:
    for operation, argument, _ in pickletools.genops(file):
        if operation.name in ("GLOBAL", "INST") and len(str(argument)) > _LONGEST_NAME:
            raise ValueError(f"a name of {len(str(argument))} characters in it")


def _values(tensor: Tensor) -> Floats:
    return tensor.detach().to(torch.float32).contiguous().numpy()


_PICKLED = re.compile(rb"PK\x03\x04|\x80[\x02-\x05]")  # in a zip archive, or bare as long ago

ARRAYS.register(Format("PyTorch state dict", (".pth", ".pt"), read_state_dict, magic=_PICKLED))
