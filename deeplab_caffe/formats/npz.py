"""Reads .npz archives: arrays by name. Headers first; values when they are wanted."""

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import prod

import numpy as np

from ..errors import DeepLabError, one_line
from .files import check_memory, file_size, open_file, reading
from .npy import Header, read_header
from .registry import ARRAYS, Format
from .stored import Floats, StoredArray

_MAX_ARRAYS = 100_000


def read_npz(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric arrays of an .npz by name. Never unpickles. Raises DeepLabError, naming file and array."""
    source = os.fspath(path)
    arrays: dict[str, StoredArray] = {}
    with _archive(path) as archive:
        members = [item for item in archive.namelist() if item.endswith(".npy")]
        if len(members) > _MAX_ARRAYS:
            raise DeepLabError(f"{source}: more than {_MAX_ARRAYS} arrays")
        for member in members:
            name = member.removesuffix(".npy")
            with reading(path, f"array '{one_line(name)}'"):
                header = _header(archive, member)
            if header.dtype.kind in "fiub":
                arrays[name] = StoredArray(header.shape, partial(_read, source, member, name))
    return arrays


@contextmanager
def _archive(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    with open_file(path) as file, reading(path, "not a whole .npz archive"), zipfile.ZipFile(file) as archive:
        yield archive


def _header(archive: zipfile.ZipFile, member: str) -> Header:
    with archive.open(member) as file:
        return read_header(file)


def _read(source: str, member: str, name: str) -> Floats:
    what = f"array '{one_line(name)}'"
    with _archive(source) as archive, reading(source, what):
        # The values and their float32 copy; NumPy believes the header's shape before it sees a value.
        header = _header(archive, member)
        inside = archive.getinfo(member).file_size
        if header.size > inside:
            raise DeepLabError(f"{source}: {what}: cut off: {inside} bytes for shape {list(header.shape)}")
        check_memory(source, file_size(source), header.size + 4 * prod(header.shape), what)
        with archive.open(member) as file, np.errstate(over="ignore"):
            return np.array(np.lib.format.read_array(file, allow_pickle=False), np.float32, order="C")


ARRAYS.register(Format("NumPy arrays", (".npz",), read_npz, magic=re.compile(rb"PK\x03\x04")))
