"""Snapshots in Caffe's HDF5 form: NAME.caffemodel.h5 and NAME.solverstate.h5.

The weights lie at data/LAYER/NUMBER; a state has iter, learned_net, current_step and history/NUMBER.
"""

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DeepLabError
from .file_blob import in_memory
from .files import replacing
from .records import LayerBlobs, SolverState
from .registry import LAYERS, Format

if TYPE_CHECKING:
    import h5py

_MOST_PACKED = 1100  # bytes that one byte of a file may stand for; zlib reaches 1032


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
    with _open(path) as file:
        data = _group(file, "data", path)
        found: dict[str, list[h5py.Dataset]] = {}

        def visit(name: str, item: Any) -> None:
            layer, _, number = name.rpartition("/")
            if _is_set(item) and layer and number.isdigit():
                found.setdefault(layer, []).append(item)

        data.visititems(visit)
        layers = []
        for name, sets in found.items():
            sets.sort(key=lambda item: int(item.name.rpartition("/")[2]))
            layers.append(LayerBlobs(name, blobs=[_read(item, path) for item in sets]))
    if not layers:
        raise DeepLabError(f"{os.fspath(path)}: no weights in it: not a caffemodel")
    return layers


def read_hdf5_state(path: str | os.PathLike[str]) -> SolverState:
    """Reads a solverstate.h5; DeepLabError for what is none."""
    with _open(path) as file:
        iteration, step = (_number(file, name, path) for name in ("iter", "current_step"))
        named = file.get("learned_net")
        name = named[()] if _is_set(named) and named.dtype.kind in "SO" and named.size == 1 else b""
        history = _group(file, "history", path)
        blobs = []
        for number in range(len(history)):
            item = history.get(str(number))
            if not _is_set(item):
                raise DeepLabError(f"{os.fspath(path)}: history {number} is missing")
            blobs.append(_read(item, path))
    return SolverState(iteration, bytes(name).decode("utf-8", "surrogateescape"), blobs, step)


def _plain(blob: Tensor) -> np.ndarray:
    return blob.detach().to("cpu", torch.float32).contiguous().numpy()


def _write(path: str | os.PathLike[str], fill: Callable[["h5py.File"], None]) -> None:
    import h5py  # only who asks for this form pays for it

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    with replacing(path, durable=True) as target:
        target.write(buffer.getbuffer())


@contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator["h5py.File"]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DeepLabError(f"{os.fspath(path)}: not a whole HDF5 file: {reason}") from None


def _is_set(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset)


def _group(file: "h5py.File", name: str, path: str | os.PathLike[str]) -> "h5py.Group":
    import h5py

    group = file.get(name)
    if not isinstance(group, h5py.Group):
        raise DeepLabError(f"{os.fspath(path)}: no group '{name}': not a snapshot of Caffe's")
    return group


def _number(file: "h5py.File", name: str, path: str | os.PathLike[str]) -> int:
    item = file.get(name)
    value = (
        int(np.asarray(item).ravel()[0]) if _is_set(item) and item.size and item.dtype.kind in "iu" else -1
    )
    if not 0 <= value < 2**31:
        raise DeepLabError(f"{os.fspath(path)}: no {name} in it: not a solverstate")
    return value


def _read(item: "h5py.Dataset", path: str | os.PathLike[str]) -> Tensor:
    wanted = prod(item.shape) * item.dtype.itemsize
    if item.dtype.kind != "f" or wanted > _MOST_PACKED * os.path.getsize(path):
        raise DeepLabError(f"{os.fspath(path)}: {item.name}: {item.dtype} {item.shape}, floats wanted")
    return torch.from_numpy(np.ascontiguousarray(item[()], np.float32).reshape(item.shape))


LAYERS.register(Format("HDF5", (".h5",), read_hdf5_model, write_hdf5_model, re.compile(rb"\x89HDF")))
