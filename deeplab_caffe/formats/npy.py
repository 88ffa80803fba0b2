"""Scores in NumPy's .npy files."""

import os
import re
import warnings
from math import prod
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DeepLabError
from ..types import Shape
from .files import open_file, reading, replacing
from .registry import SCORES, Format
from .stored import StoredScores


class Header(NamedTuple):
    """What stands before the values of an .npy file."""

    shape: Shape
    column_major: bool
    dtype: np.dtype

    @property
    def size(self) -> int:
        """The bytes of the values; a Python number, so it never wraps around."""
        return prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes]) -> Header:
    """The header, and `file` after it. Raises what NumPy does where it is none."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote it
        return Header(*read(file))


def read_npy(path: str | os.PathLike[str]) -> NDArray[np.number]:
    """The array of an .npy file, mapped: its values stay in the file. Raises DeepLabError."""
    with open_file(path) as file, reading(path, "no .npy file"):
        header = read_header(file)
        if header.dtype.kind not in "fiub":
            raise DeepLabError(f"{os.fspath(path)}: an array of numbers wanted")
        start = file.tell()
        found = os.fstat(file.fileno()).st_size - start
        if header.size > found:
            raise ValueError(f"cut off: {found} bytes of values, {header.size} wanted")
        order: Literal["C", "F"] = "F" if header.column_major else "C"
        if not header.size:
            return np.empty(header.shape, header.dtype, order)
        return np.memmap(file, header.dtype, "r", start, header.shape, order)


def write_npy(path: str | os.PathLike[str], values: ArrayLike) -> None:
    """Writes an array, whole or not at all."""
    with replacing(path) as file:
        np.save(file, np.ascontiguousarray(values))


def _read_scores(path: str | os.PathLike[str]) -> StoredScores:
    return StoredScores(read_npy(path), "either")


SCORES.register(Format("NumPy", (".npy",), _read_scores, write_npy, re.compile(rb"\x93NUMPY")))
