"""The elements that a MATLAB file of level 5 is made of, compressed ones too, for who looks into arrays.

Our own because scipy's reader can crash the process on a broken file.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .files import read_bytes, reading

# Of a file, and of what a compressed variable unpacks to.
MAX_BYTES = 1 << 30

# Level 5 codes: types of elements, and the classes of numeric arrays (double to uint64).
INT8, INT32, UINT32, SINGLE, MATRIX, COMPRESSED = 1, 5, 6, 7, 14, 15
DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
NUMERIC_CLASSES = range(6, 16)
COMPLEX = 0x0800
_TAG = 8  # bytes before an element's payload
_HEAD = 1 << 16  # bytes of an array that hold its header
_PIECE = 1 << 18  # bytes that are unpacked together

Buffer = bytes | bytearray | memoryview


class BrokenError(ValueError):
    """What is wrong with the file."""


class Element(NamedTuple):
    """A tagged piece of a file: the payload is data[start:end], the next one begins at `after`."""

    code: int
    start: int
    end: int
    after: int


class Variable(NamedTuple):
    """An array at the top of a file. head: its header at least; size: unpacked, 0 if it is not packed."""

    head: Buffer
    stored: memoryview
    size: int

    def contents(self) -> Buffer:
        """The payload of the array."""
        return _unpack(self.stored, self.size) if self.size else self.stored


@contextmanager
def variables(path: str | os.PathLike[str]) -> Iterator[tuple[int, Iterator[Variable]]]:
    """The bytes of a file and its variables, one after the other; what breaks inside is a DeepLabError.

    Raises DeepLabError: no such file, another level, a broken file, more than 1 GB.
    """
    data = memoryview(read_bytes(path, MAX_BYTES))
    with reading(path):
        if len(data) < 128 or data[126:128] != b"IM":
            raise BrokenError("not a little-endian .mat file of level 5")
        if data[124:126] != b"\0\1":
            raise BrokenError("not a .mat file of level 5 (MATLAB writes one with -v6 or -v7)")
        yield len(data), _variables(data)


def _variables(data: memoryview) -> Iterator[Variable]:
    at = 128
    while at < len(data):
        element = element_at(data, at)
        # A compressed element is not padded.
        at = element.end if element.code == COMPRESSED else element.after
        matrix = data[element.start : element.end]
        if element.code == COMPRESSED:
            head, size = _unpacked_head(matrix)
            yield Variable(head, matrix, size)
        elif element.code == MATRIX:
            yield Variable(matrix, matrix, 0)


def element_at(data: Buffer, at: int) -> Element:
    """The element that begins at byte `at`. Raises BrokenError where the data end too soon."""
    if at + 8 > len(data):
        raise BrokenError(f"cut off at byte {len(data)}")
    code, size = struct.unpack_from("<II", data, at)
    if code >> 16:  # The short form: size and code share the first four bytes, the payload the second.
        code, size = code & 0xFFFF, code >> 16
        if size > 4:
            raise BrokenError(f"a broken element at byte {at}")
        return Element(code, at + 4, at + 4 + size, at + 8)
    end = at + 8 + size
    if end > len(data):
        raise BrokenError(f"cut off: an element at byte {at} needs {end - len(data)} bytes more")
    return Element(code, at + 8, end, end + -size % 8)


def _unpacked_head(packed: memoryview) -> tuple[bytes, int]:
    """The beginning of the array in a compressed element, where its header is, and the array's size."""
    with _unpacking():
        head = zlib.decompressobj().decompress(packed[:_HEAD], _HEAD)
    code, size = struct.unpack_from("<II", head) if len(head) >= 8 else (0, 0)
    if code != MATRIX or size > MAX_BYTES:
        raise BrokenError(
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
        raise BrokenError(f"a broken compressed variable: {error}") from None
