"""Reads HDF5 files of arrays: every data set of numbers, by its path in the file."""

import os
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ..errors import DeepLabError
from .stored import Floats, StoredArray

_MAX_ARRAYS = 100_000
_MOST_PACKED = 1100  # bytes that one byte of a file may stand for; zlib reaches 1032


def read_hdf5_arrays(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric arrays of an HDF5 file by name ("conv1", "net/conv1"). Raises DeepLabError.

    Values are read when they are wanted, as float32.
    """
    import h5py  # only who asks for this form pays for it

    source = os.fspath(path)
    arrays: dict[str, StoredArray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "fiub":
            if len(arrays) >= _MAX_ARRAYS:
                raise ValueError(f"more than {_MAX_ARRAYS} arrays")
            arrays[name] = StoredArray(tuple(item.shape), partial(_read, source, name))

    try:
        with h5py.File(source, "r") as file:
            file.visititems(visit)
    except _BROKEN as error:
        raise DeepLabError(f"{source}: not a whole HDF5 file: {_line(error)}") from None
    return arrays


_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def _read(source: str, name: str) -> Floats:
    import h5py

    try:
        with h5py.File(source, "r") as file:
            item = file[name]
            if prod(item.shape) * item.dtype.itemsize > _MOST_PACKED * os.path.getsize(source):
                raise ValueError("more values than the file can hold")
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite
                return np.ascontiguousarray(item[()], np.float32).reshape(item.shape)
    except _BROKEN as error:
        raise DeepLabError(f"{source}: array '{name}': {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
