"""Snapshots in Caffe's HDF5 form: NAME.caffemodel.h5 and NAME.solverstate.h5.

The weights lie at data/LAYER/NUMBER; a state has iter, learned_net, current_step and history/NUMBER.
"""

import io
import os
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DeepLabError
from .file_blob import in_memory
from .files import check_memory, file_size, replacing
from .hdf5 import is_numeric, is_set, member, memory_wanted, open_hdf5, read_set, sets_in
from .records import LayerBlobs, SolverState
from .registry import LAYERS, Format

if TYPE_CHECKING:
    import h5py

_MAX_BLOBS = 100_000
_MAX_NAME = 4096  # bytes of the name of a caffemodel


def write_hdf5_model(path: str | os.PathLike[str], layers: Sequence[LayerBlobs]) -> None:
    """Writes weights as Caffe's snapshot_format HDF5 does; on disk, whole, before they appear at `path`."""

    def fill(file: "h5py.File") -> None:
        data = file.create_group("data")
        for layer in layers:
            group = data.require_group(layer.name)
            for number, blob in enumerate(layer.blobs):
                group[str(number)] = _plain(in_memory(blob))

    _write(path, fill)


def write_hdf5_state(path: str | os.PathLike[str], state: SolverState) -> None:
    """Writes a solverstate as Caffe's snapshot_format HDF5 does; on disk, whole, before it appears."""

    def fill(file: "h5py.File") -> None:
        file["iter"] = np.array([state.iteration], np.int32)
        file["learned_net"] = np.bytes_(state.learned_net.encode())
        file["current_step"] = np.array([state.current_step], np.int32)
        history = file.create_group("history")
        for number, blob in enumerate(state.history):
            history[str(number)] = _plain(blob)

    _write(path, fill)


def read_hdf5_model(path: str | os.PathLike[str], in_file: bool = False) -> list[LayerBlobs]:
    """Reads the layers of a caffemodel.h5, by name; DeepLabError for what is none.

    in_file is there for callers of any format: HDF5's values are read in any case.
    """
    with open_hdf5(path) as file:
        data = _group(file, "data", path)
        found: dict[str, list[tuple[int, h5py.Dataset]]] = {}
        for name, item in sets_in(data, _MAX_BLOBS).items():
            layer, _, number = name.rpartition("/")
            if layer and number.isascii() and number.isdigit() and len(number) < 10:
                found.setdefault(layer, []).append((int(number), item))
        _check(path, [item for sets in found.values() for _, item in sets])
        layers = []
        for name, sets in found.items():
            sets.sort(key=lambda numbered: numbered[0])
            layers.append(
                LayerBlobs(name, blobs=[torch.from_numpy(read_set(item, path)) for _, item in sets])
            )
    if not layers:
        raise DeepLabError(f"{os.fspath(path)}: no weights in it: not a caffemodel")
    return layers


def read_hdf5_state(path: str | os.PathLike[str]) -> SolverState:
    """Reads a solverstate.h5; DeepLabError for what is none."""
    with open_hdf5(path) as file:
        iteration, step = (_number(file, name, path) for name in ("iter", "current_step"))
        named = member(file, "learned_net")
        name = np.ravel(named[()])[0] if _is_name(named) else b""
        history = _group(file, "history", path)
        sets = [member(history, str(number)) for number in range(len(history))]
        for number, item in enumerate(sets):
            if not is_set(item):
                raise DeepLabError(f"{os.fspath(path)}: history {number} is missing")
        _check(path, sets)
        blobs = [torch.from_numpy(read_set(item, path)) for item in sets]
    text = name if isinstance(name, str) else bytes(name).decode("utf-8", "surrogateescape")
    return SolverState(iteration, text, blobs, step)


def _plain(blob: Tensor) -> np.ndarray:
    return blob.detach().to("cpu", torch.float32).contiguous().numpy()


def _write(path: str | os.PathLike[str], fill: Callable[["h5py.File"], None]) -> None:
    import h5py  # only who asks for this form pays for it

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    with replacing(path, durable=True) as target:
        target.write(buffer.getbuffer())


def _is_name(item: Any) -> bool:
    """Whether it is a data set of one text that is no longer than a path."""
    import h5py

    text = isinstance(item, h5py.Dataset) and item.dtype.kind in "SO" and item.size == 1
    return text and item.dtype.itemsize <= _MAX_NAME and not (item.external or item.is_virtual)


def _group(file: "h5py.File", name: str, path: str | os.PathLike[str]) -> "h5py.Group":
    import h5py

    group = member(file, name)
    if not isinstance(group, h5py.Group):
        raise DeepLabError(f"{os.fspath(path)}: no group '{name}': not a snapshot of Caffe's")
    return group


def _number(file: "h5py.File", name: str, path: str | os.PathLike[str]) -> int:
    item = member(file, name)
    number = is_numeric(item) and item.size == 1 and item.dtype.kind in "iu"
    value = int(item[()].ravel()[0]) if number and not (item.external or item.is_virtual) else -1
    if not 0 <= value < 2**31:
        raise DeepLabError(f"{os.fspath(path)}: no {name} in it: not a solverstate")
    return value


def _check(path: str | os.PathLike[str], sets: Sequence["h5py.Dataset"]) -> None:
    """DeepLabError if one holds no floats, or all together take more memory than a file of this size may."""
    for item in sets:
        if item.shape is None or item.dtype.kind != "f":
            raise DeepLabError(f"{os.fspath(path)}: {item.name}: {item.dtype} {item.shape}, floats wanted")
    values = sum(4 * prod(item.shape) for item in sets)
    check_memory(path, file_size(path), values + max(map(memory_wanted, sets), default=0))


LAYERS.register(Format("HDF5", (".h5",), read_hdf5_model, write_hdf5_model, re.compile(rb"\x89HDF")))
