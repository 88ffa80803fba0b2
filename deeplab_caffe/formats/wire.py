"""Protobuf's wire format, read from a buffer without copying what it holds, and written.

Only as much as weights need: varints, fixed-size numbers and length-delimited fields; never recursive.
Every read is checked against the end of the message it lies in.
"""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_NAMES = {VARINT: "a number", FIXED64: "8 bytes", BYTES: "a length-delimited value", FIXED32: "4 bytes"}


class WireError(ValueError):
    """The bytes are not the message they should be; says what and where."""


class Field(NamedTuple):
    """One field of a message: its bytes are start..end; `value` is set if it is a varint."""

    number: int
    kind: int
    value: int
    start: int
    end: int


Buffer = bytes | memoryview | mmap.mmap


def read_varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """The varint at `at` (unsigned, 64 bits) and the position after it."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise WireError(f"a number longer than 10 bytes at byte {at}")
    raise WireError(f"cut off inside a number at byte {at}")


def field_at(data: Buffer, at: int, end: int) -> Field:
    """The field that starts at `at`, in a message that ends at `end`. Raises WireError."""
    tag, body = read_varint(data, at, end)
    number, kind = tag >> 3, tag & 7
    if number == 0 or kind not in _NAMES:
        raise WireError(f"no protobuf field at byte {at}")
    value = 0
    if kind == VARINT:
        value, stop = read_varint(data, body, end)
    elif kind == BYTES:
        size, body = read_varint(data, body, end)
        stop = body + size
    else:
        stop = body + (8 if kind == FIXED64 else 4)
    if stop > end:
        raise WireError(f"field {number} at byte {at} needs {stop - end} bytes more than there are")
    return Field(number, kind, value, body, stop)


def fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in data[start:end], in order. Raises WireError."""
    while start < end:
        field = field_at(data, start, end)
        yield field
        start = field.end


def expect(field: Field, kind: int) -> Field:
    """The field itself if it is of this kind, else WireError."""
    if field.kind != kind:
        raise WireError(f"field {field.number} holds {_NAMES[field.kind]}, not {_NAMES[kind]}")
    return field


def signed(value: int) -> int:
    """A 64-bit varint as int32/int64 fields mean it."""
    return value - (1 << 64) if value >> 63 else value


def varint(value: int) -> bytes:
    """Encodes a number; negative ones take ten bytes."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number: int, value: int) -> bytes:
    """A varint field."""
    return varint(number << 3 | VARINT) + varint(value)


def bytes_header(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a length-delimited field."""
    return varint(number << 3 | BYTES) + varint(size)


def bytes_field(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return bytes_header(number, len(payload)) + payload
