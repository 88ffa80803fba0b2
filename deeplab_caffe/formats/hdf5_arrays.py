"""Reads HDF5 files of arrays: every data set of numbers, by its path in the file."""

import os
from functools import partial

from ..errors import one_line
from .files import reading
from .hdf5 import is_numeric, member, open_hdf5, read_set, sets_in
from .stored import Floats, StoredArray

_MAX_ARRAYS = 100_000


def read_hdf5_arrays(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric arrays of an HDF5 file by name ("conv1", "net/conv1"). Raises DeepLabError.

    Values are read when they are wanted, as float32.
    """
    source = os.fspath(path)
    with open_hdf5(source) as file:
        return {
            name: StoredArray(tuple(item.shape), partial(_read, source, name))
            for name, item in sets_in(file, _MAX_ARRAYS).items()
            if is_numeric(item)
        }


def _read(source: str, name: str) -> Floats:
    with open_hdf5(source) as file, reading(source, f"array '{one_line(name)}'"):
        return read_set(member(file, name), source)
