"""The .mat files between DeepLab v1's MatWrite and MatRead layers, its CRF program and MATLAB.

One blob a file: MATLAB level 5, uncompressed, one variable `data`, single, of dimensions width, height,
channels, num. MATLAB counts the first dimension fastest, so the values lie in the file as in the blob.

The reader is our own because scipy's can crash the process on a broken file.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DeepLabError
from ..types import Floats
from .files import check_memory, read_bytes, reading, replacing
from .registry import SCORES, Format
from .stored import StoredScores

_VARIABLE = b"data"
# Of a file, and of what a compressed variable unpacks to.
_MAX_BYTES = 1 << 30

# Level 5 codes: types of elements, and the classes of numeric arrays (double to uint64).
_INT8, _INT32, _UINT32, _SINGLE, _MATRIX, _COMPRESSED = 1, 5, 6, 7, 14, 15
_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
_NUMERIC_CLASSES = range(6, 16)
_SINGLE_CLASS = 7
_COMPLEX = 0x0800
_TAG = 8  # bytes before an element's payload
_HEAD = 1 << 16  # bytes of an array that hold its header
_PIECE = 1 << 18  # bytes that are unpacked together
_MOST_AXES, _MOST_NAMES = 4, 20

Buffer = bytes | bytearray | memoryview


class _BrokenError(ValueError):
    """What is wrong with the file."""


class _Header(NamedTuple):
    """Of an array: its name; of the variable `data` its dimensions, and where the element of values is."""

    name: bytes
    shape: list[int] = []
    values: int = 0


class _Element(NamedTuple):
    """A tagged piece of a file: the payload is data[start:end], the next one begins at `after`."""

    code: int
    start: int
    end: int
    after: int


def read_mat(path: str | os.PathLike[str]) -> Floats:
    """Reads the blob of a .mat file as (num, channels, height, width) float32.

    Files that MATLAB saves as -v6 or -v7 (compressed) do as well, with `data` of any real numeric class;
    dimensions that MATLAB dropped are 1. Raises DeepLabError: no such file, another level, no `data` in it,
    no real numbers, more than four dimensions, a broken file, more than 1 GB.
    """
    data = memoryview(read_bytes(path, _MAX_BYTES))
    with reading(path):
        if len(data) < 128 or data[126:128] != b"IM":
            raise _BrokenError("not a little-endian .mat file of level 5")
        if data[124:126] != b"\0\1":
            raise _BrokenError("not a .mat file of level 5 (MATLAB writes one with -v6 or -v7)")
        names: list[str] = []
        at = 128
        while at < len(data):
            element = _element_at(data, at)
            # A compressed element is not padded.
            at = element.end if element.code == _COMPRESSED else element.after
            matrix = data[element.start : element.end]
            if element.code not in (_COMPRESSED, _MATRIX):
                continue
            head, size = _unpacked_head(matrix) if element.code == _COMPRESSED else (matrix, 0)
            header = _header(head)
            if header.name == _VARIABLE:
                shape = _shape(header)
                check_memory(path, len(data), len(data) + size + 4 * prod(shape), "variable 'data'")
                return _values(_unpack(matrix, size) if size else matrix, header, shape)
            if len(names) < _MOST_NAMES:
                names.append(header.name[:64].decode("ascii", "replace"))
        raise _BrokenError(f"no variable 'data' in it; it has: {', '.join(names) or 'none'}")


def _element_at(data: Buffer, at: int) -> _Element:
    if at + 8 > len(data):
        raise _BrokenError(f"cut off at byte {len(data)}")
    code, size = struct.unpack_from("<II", data, at)
    if code >> 16:  # The short form: size and code share the first four bytes, the payload the second.
        code, size = code & 0xFFFF, code >> 16
        if size > 4:
            raise _BrokenError(f"a broken element at byte {at}")
        return _Element(code, at + 4, at + 4 + size, at + 8)
    end = at + 8 + size
    if end > len(data):
        raise _BrokenError(f"cut off: an element at byte {at} needs {end - len(data)} bytes more")
    return _Element(code, at + 8, end, end + -size % 8)


def _unpacked_head(packed: memoryview) -> tuple[bytes, int]:
    """The beginning of the array in a compressed element, where its header is, and the array's size."""
    with _unpacking():
        head = zlib.decompressobj().decompress(packed[:_HEAD], _HEAD)
    code, size = struct.unpack_from("<II", head) if len(head) >= 8 else (0, 0)
    if code != _MATRIX or size > _MAX_BYTES:
        raise _BrokenError(
            f"a compressed variable of {size} bytes" if size else "a broken compressed variable"
        )
    return head[8:], size


def _unpack(packed: memoryview, size: int) -> bytearray:
    """The payload of the array in a compressed element, `size` bytes; by pieces, lest it lie there twice."""
    unpacked, at = bytearray(_TAG + size), 0
    stream = zlib.decompressobj()
    with _unpacking():
        for start in range(0, len(packed), _PIECE):
            rest: Buffer = packed[start : start + _PIECE]
            while rest and at < len(unpacked):
                piece = stream.decompress(rest, min(_PIECE, len(unpacked) - at))
                unpacked[at : at + len(piece)] = piece
                at, rest = at + len(piece), stream.unconsumed_tail
    del unpacked[at:], unpacked[:_TAG]
    return unpacked


@contextmanager
def _unpacking() -> Iterator[None]:
    try:
        yield
    except zlib.error as error:
        raise _BrokenError(f"a broken compressed variable: {error}") from None


def _header(data: Buffer) -> _Header:
    """What stands before the values of an array; only a variable called `data` is looked at closely."""
    flags = _element_at(data, 0)
    dims = _element_at(data, flags.after)
    label = _element_at(data, dims.after)
    name = bytes(data[label.start : label.end])
    if name != _VARIABLE:
        return _Header(name)
    if (flags.code, flags.end - flags.start, dims.code) != (_UINT32, 8, _INT32):
        raise _BrokenError("'data' has a broken header")
    (what,) = struct.unpack_from("<I", data, flags.start)
    if what & 0xFF not in _NUMERIC_CLASSES or what & _COMPLEX:
        raise _BrokenError("'data' is not an array of real numbers")
    shape = np.frombuffer(data, "<i4", (dims.end - dims.start) // 4, dims.start)
    return _Header(name, shape[: _MOST_AXES + 1].tolist(), label.after)


def _shape(header: _Header) -> list[int]:
    """The four dimensions of `data`, as MATLAB has them."""
    shape = header.shape
    if len(shape) > _MOST_AXES or min(shape, default=0) < 1:
        raise _BrokenError(f"'data' has the dimensions {shape}; up to four, from 1 on, are wanted")
    return shape + [1] * (_MOST_AXES - len(shape))


def _values(data: Buffer, header: _Header, shape: list[int]) -> Floats:
    body = _element_at(data, header.values)
    if body.code not in _DTYPES:
        raise _BrokenError("'data' holds no numbers")
    dtype = np.dtype(_DTYPES[body.code])
    count = prod(shape)
    if count * dtype.itemsize != body.end - body.start:
        raise _BrokenError(
            f"'data' has {body.end - body.start} bytes of values, not {count * dtype.itemsize}"
        )
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
        _element(_UINT32, struct.pack("<II", _SINGLE_CLASS, 0))
        + _element(_INT32, struct.pack("<4i", *reversed(values.shape)))
        + struct.pack("<HH4s", _INT8, len(_VARIABLE), _VARIABLE)
        + struct.pack("<II", _SINGLE, values.nbytes)
    )
    padding = bytes(-values.nbytes % 8)
    size = len(contents) + values.nbytes + len(padding)
    if size >= 1 << 32:
        raise DeepLabError(f"{os.fspath(path)}: {size} bytes; level 5 .mat files end at 4 GB")
    header = b"MATLAB 5.0 MAT-file, Created by: deeplab_caffe".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    with replacing(path) as file:
        file.write(header + struct.pack("<II", _MATRIX, size) + contents)
        file.write(values.data)
        file.write(padding)


def _element(code: int, payload: bytes) -> bytes:
    """A data element whose payload fills whole 8 bytes."""
    return struct.pack("<II", code, len(payload)) + payload


def _read_scores(path: str | os.PathLike[str]) -> StoredScores:
    return StoredScores(read_mat(path), "labels first")


SCORES.register(Format("MATLAB", (".mat",), _read_scores, write_mat, re.compile(rb"MATLAB")))
