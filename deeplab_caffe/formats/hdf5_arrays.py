"""Reads HDF5 files of arrays: every data set of numbers, by its path in the file."""

import os
from functools import partial
from typing import Any

from ..errors import one_line
from .files import reading
from .hdf5 import is_numeric, member, open_hdf5, plain_name, read_set
from .stored import Floats, StoredArray

_MAX_ARRAYS = 100_000


def read_hdf5_arrays(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric arrays of an HDF5 file by name ("conv1", "net/conv1"). Raises DeepLabError.

    Values are read when they are wanted, as float32.
    """
    source = os.fspath(path)
    arrays: dict[str, StoredArray] = {}

    def visit(name: str | bytes, item: Any) -> None:
        if is_numeric(item):
            if len(arrays) >= _MAX_ARRAYS:
                raise ValueError(f"more than {_MAX_ARRAYS} arrays")
            arrays[plain_name(name)] = StoredArray(tuple(item.shape), partial(_read, source, name))

    with open_hdf5(source) as file:
        file.visititems(visit)
    return arrays


def _read(source: str, name: str | bytes) -> Floats:
    what = f"array '{one_line(plain_name(name))}'"
    with open_hdf5(source) as file, reading(source, what):
        return read_set(member(file, name), source)
