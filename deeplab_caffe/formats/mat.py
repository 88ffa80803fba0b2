"""The .mat files between DeepLab v1's MatWrite and MatRead layers, its CRF program and MATLAB.

One blob a file: MATLAB level 5, uncompressed, one variable `data`, single, of dimensions width, height,
channels, num. MATLAB counts the first dimension fastest, so the values lie in the file as in the blob.
"""

import os
import re
import struct
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DeepLabError
from ..types import Floats
from .files import check_memory, replacing
from .mat_elements import (
    COMPLEX,
    DTYPES,
    INT8,
    INT32,
    MATRIX,
    NUMERIC_CLASSES,
    SINGLE,
    UINT32,
    BrokenError,
    Buffer,
    element_at,
    variables,
)
from .registry import SCORES, Format
from .stored import StoredScores

_VARIABLE = b"data"
_SINGLE_CLASS = 7
_MOST_AXES, _MOST_NAMES = 4, 20


class _Header(NamedTuple):
    """Of an array: its name; of the variable `data` its dimensions, and where the element of values is."""

    name: bytes
    shape: list[int] = []
    values: int = 0


def read_mat(path: str | os.PathLike[str]) -> Floats:
    """Reads the blob of a .mat file as (num, channels, height, width) float32.

    Files that MATLAB saves as -v6 or -v7 (compressed) do as well, with `data` of any real numeric class;
    dimensions that MATLAB dropped are 1. Raises DeepLabError: no such file, another level, no `data` in it,
    no real numbers, more than four dimensions, a broken file, more than 1 GB.
    """
    with variables(path) as (file_size, found):
        names: list[str] = []
        for variable in found:
            header = _header(variable.head)
            if header.name == _VARIABLE:
                shape = _shape(header)
                wanted = file_size + variable.size + 4 * prod(shape)
                check_memory(path, file_size, wanted, "variable 'data'")
                return _values(variable.contents(), header, shape)
            if len(names) < _MOST_NAMES:
                names.append(header.name[:64].decode("ascii", "replace"))
        raise BrokenError(f"no variable 'data' in it; it has: {', '.join(names) or 'none'}")


def _header(data: Buffer) -> _Header:
    """What stands before the values of an array; only a variable called `data` is looked at closely."""
    flags = element_at(data, 0)
    dims = element_at(data, flags.after)
    label = element_at(data, dims.after)
    name = bytes(data[label.start : label.end])
    if name != _VARIABLE:
        return _Header(name)
    if (flags.code, flags.end - flags.start, dims.code) != (UINT32, 8, INT32):
        raise BrokenError("'data' has a broken header")
    (what,) = struct.unpack_from("<I", data, flags.start)
    if what & 0xFF not in NUMERIC_CLASSES or what & COMPLEX:
        raise BrokenError("'data' is not an array of real numbers")
    shape = np.frombuffer(data, "<i4", (dims.end - dims.start) // 4, dims.start)
    return _Header(name, shape[: _MOST_AXES + 1].tolist(), label.after)


def _shape(header: _Header) -> list[int]:
    """The four dimensions of `data`, as MATLAB has them."""
    shape = header.shape
    if len(shape) > _MOST_AXES or min(shape, default=0) < 1:
        raise BrokenError(f"'data' has the dimensions {shape}; up to four, from 1 on, are wanted")
    return shape + [1] * (_MOST_AXES - len(shape))


def _values(data: Buffer, header: _Header, shape: list[int]) -> Floats:
    body = element_at(data, header.values)
    if body.code not in DTYPES:
        raise BrokenError("'data' holds no numbers")
    dtype = np.dtype(DTYPES[body.code])
    count = prod(shape)
    if count * dtype.itemsize != body.end - body.start:
        raise BrokenError(f"'data' has {body.end - body.start} bytes of values, not {count * dtype.itemsize}")
    values = np.frombuffer(data, dtype, count, body.start).reshape(shape[::-1])
    with np.errstate(over="ignore"):  # A double beyond float32 becomes infinite.
        return values.astype(np.float32)


def write_mat(path: str | os.PathLike[str], blob: ArrayLike) -> None:
    """Writes a blob, (num, channels, height, width), or fewer dimensions for leading ones, as float32.

    The bytes are those the MatWrite layer writes, but for the text of the header, which there holds a date.
    """
    values = np.ascontiguousarray(blob, np.float32)
    if values.ndim > 4:
        raise DeepLabError(f"{os.fspath(path)}: a blob of {values.ndim} dimensions; at most 4 fit")
    values = values.reshape((1,) * (4 - values.ndim) + values.shape)
    contents = (
        _element(UINT32, struct.pack("<II", _SINGLE_CLASS, 0))
        + _element(INT32, struct.pack("<4i", *reversed(values.shape)))
        + struct.pack("<HH4s", INT8, len(_VARIABLE), _VARIABLE)
        + struct.pack("<II", SINGLE, values.nbytes)
    )
    padding = bytes(-values.nbytes % 8)
    size = len(contents) + values.nbytes + len(padding)
    if size >= 1 << 32:
        raise DeepLabError(f"{os.fspath(path)}: {size} bytes; level 5 .mat files end at 4 GB")
    header = b"MATLAB 5.0 MAT-file, Created by: deeplab_caffe".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    with replacing(path) as file:
        file.write(header + struct.pack("<II", MATRIX, size) + contents)
        file.write(values.data)
        file.write(padding)


def _element(code: int, payload: bytes) -> bytes:
    """A data element whose payload fills whole 8 bytes."""
    return struct.pack("<II", code, len(payload)) + payload


def _read_scores(path: str | os.PathLike[str]) -> StoredScores:
    return StoredScores(read_mat(path), "labels first")


SCORES.register(Format("MATLAB", (".mat",), _read_scores, write_mat, re.compile(rb"MATLAB")))
