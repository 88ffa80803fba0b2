"""Reads .npz archives: arrays by name. Headers first; values when they are wanted."""

import os
import re
import zipfile
import zlib
from functools import partial

import numpy as np

from ..errors import DeepLabError
from .files import file_error
from .registry import ARRAYS, Format
from .stored import Floats, StoredArray

_MAX_ARRAYS = 100_000


def read_npz(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric arrays of an .npz by name. Never unpickles. Raises DeepLabError, naming file and array."""
    source = os.fspath(path)
    arrays: dict[str, StoredArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.namelist() if item.endswith(".npy")]
            if len(members) > _MAX_ARRAYS:
                raise DeepLabError(f"{source}: more than {_MAX_ARRAYS} arrays")
            for member in members:
                name = member.removesuffix(".npy")
                try:
                    shape, dtype = _header(archive, member)
                except _BROKEN as error:
                    raise DeepLabError(f"{source}: array '{name}': {_line(error)}") from None
                if dtype.kind in "fiub":
                    arrays[name] = StoredArray(shape, partial(_read, source, member, name))
    except OSError as error:
        raise file_error(path, error) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        if isinstance(error, DeepLabError):
            raise
        raise DeepLabError(f"{source}: not a whole .npz archive: {_line(error)}") from None
    return arrays


# What zipfile, zlib and NumPy raise for damaged members. RuntimeError: encrypted ones.
_BROKEN = (
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    OSError,
    SyntaxError,
    TypeError,
)


def _header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    return shape, dtype


def _read(source: str, member: str, name: str) -> Floats:
    try:
        with zipfile.ZipFile(source) as archive, archive.open(member) as file:
            return np.array(np.lib.format.read_array(file, allow_pickle=False), np.float32, order="C")
    except _BROKEN as error:
        raise DeepLabError(f"{source}: array '{name}': {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


ARRAYS.register(Format("NumPy arrays", (".npz",), read_npz, magic=re.compile(rb"PK\x03\x04")))
