"""One BlobProto of a mapped file as a tensor, and a tensor as a BlobProto."""

import mmap
from collections.abc import Sequence
from math import prod
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..types import Shape
from . import wire
from .wire import BYTES, FIXED32, FIXED64, VARINT, WireError

# Caffe's own limits (Blob::Reshape).
_MAX_AXES = 32
_MAX_COUNT = 2**31 - 1
# Values normally come in one piece; merged messages may have a few.
_MAX_PIECES = 1000
# Unpacked values whose tags are compared together.
_ROWS = 1 << 16

_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8
_LEGACY = {1: 0, 2: 1, 3: 2, 4: 3}  # num, channels, height, width -> axis


class Place(NamedTuple):
    """Where values lie in a file, in one piece as little-endian float32, and the shape they have."""

    offset: int
    shape: Shape


def read_blob(data: mmap.mmap, start: int, end: int) -> Tensor:
    """The BlobProto in data[start:end] as a float32 tensor, its values copied once.

    Its shape is num, channels, height and width when any of them is given, else `shape`, as in Caffe.
    Raises WireError: a broken message, bad dimensions, another number of values than the shape says.
    """
    shape, pieces, _ = _parse(data, start, end)
    return _assemble(shape, pieces)


def find_blob(data: mmap.mmap, start: int, end: int, least: int) -> Place | Tensor:
    """`read_blob`, but if it has at least `least` values in one piece, only where they are."""
    shape, pieces, offset = _parse(data, start, end)
    if prod(shape) < least or len(pieces) != 1 or offset is None:
        return _assemble(shape, pieces)
    return Place(offset, shape)


def _parse(data: mmap.mmap, start: int, end: int) -> tuple[tuple[int, ...], list[np.ndarray], int | None]:
    """The blob's shape, its values, still in the map, and where packed floats, the last of them, start."""
    offset = None
    legacy: list[int] | None = None
    dims: list[int] = []
    floats: list[np.ndarray] = []
    doubles: list[np.ndarray] = []
    while start < end:
        part = wire.field_at(data, start, end)
        start = part.end
        if part.number in _LEGACY:
            legacy = legacy or [0, 0, 0, 0]
            legacy[_LEGACY[part.number]] = wire.signed(wire.expect(part, VARINT).value)
        elif part.number == _SHAPE:
            _read_dims(data, wire.expect(part, BYTES), dims)
        elif part.number in (_DATA, _DOUBLE_DATA):
            pieces, dtype = (floats, "<f4") if part.number == _DATA else (doubles, "<f8")
            if part.kind == BYTES:
                pieces.append(_packed(data, part, np.dtype(dtype)))
                offset = part.start if pieces is floats else None
            else:
                run = _unpacked(data, part, end, np.dtype(dtype))
                start += (run.size - 1) * (1 + run.itemsize)
                pieces.append(run)
            if len(pieces) > _MAX_PIECES:
                raise WireError(f"its values lie in more than {_MAX_PIECES} pieces")
    # As Caffe chooses: doubles if there are any.
    values = doubles if any(piece.size for piece in doubles) else floats
    shape = tuple(dims if legacy is None else legacy)
    _check(shape, sum(piece.size for piece in values))
    return shape, values, offset if values is floats else None


def blob_message(blob: Tensor, four_axes: bool = False) -> list[bytes | Tensor]:
    """The BlobProto of a tensor: its header, then the values as a contiguous float32 tensor on the CPU.

    four_axes: it says num, channels, height and width, ones filled in, instead of `shape`. Raises ValueError
    for a tensor that has more axes than these.
    """
    values = blob.detach().to("cpu", torch.float32).contiguous()
    shape = tuple(values.shape)
    if not four_axes:
        dims = b"".join(wire.varint(d) for d in shape)
        head = wire.bytes_field(_SHAPE, wire.bytes_field(1, dims) if dims else b"")
    elif len(shape) > 4:
        raise ValueError(f"{len(shape)} axes; V1 has four")
    else:
        padded = (1,) * (4 - len(shape)) + shape
        head = b"".join(wire.number_field(i + 1, d) for i, d in enumerate(padded))
    return [head + wire.bytes_header(_DATA, 4 * values.numel()), values]


def message_size(pieces: Sequence[bytes | Tensor]) -> int:
    """The bytes that pieces of a message take in a file."""
    return sum(len(piece) if isinstance(piece, bytes) else 4 * piece.numel() for piece in pieces)


def write_pieces(file: BinaryIO, pieces: Sequence[bytes | Tensor]) -> None:
    """Writes pieces of a message, float32 values in little-endian order."""
    for piece in pieces:
        file.write(piece if isinstance(piece, bytes) else piece.numpy().astype("<f4", copy=False).data)


def _read_dims(data: mmap.mmap, shape: wire.Field, dims: list[int]) -> None:
    """Appends the dimensions of a BlobShape, packed or one by one."""
    for part in wire.fields(data, shape.start, shape.end):
        if part.number != 1:
            continue
        if part.kind == VARINT:
            dims.append(wire.signed(part.value))
        else:
            at = wire.expect(part, BYTES).start
            while at < part.end and len(dims) <= _MAX_AXES:
                value, at = wire.read_varint(data, at, part.end)
                dims.append(wire.signed(value))
        if len(dims) > _MAX_AXES:
            raise WireError(f"its shape has more than {_MAX_AXES} axes")


def _packed(data: mmap.mmap, part: wire.Field, dtype: np.dtype) -> np.ndarray:
    """The values of a packed field, still in the map."""
    size = part.end - part.start
    if size % dtype.itemsize:
        raise WireError(f"its values take {size} bytes, no multiple of {dtype.itemsize}")
    return np.frombuffer(data, dtype, size // dtype.itemsize, part.start)


def _unpacked(data: mmap.mmap, first: wire.Field, end: int, dtype: np.dtype) -> np.ndarray:
    """A run of values that have a field each, from `first` on, at least one; still in the map."""
    wire.expect(first, FIXED32 if dtype.itemsize == 4 else FIXED64)
    row = 1 + dtype.itemsize  # One byte of tag before each value.
    tag = first.number << 3 | first.kind
    count = 0
    while (step := min((end - first.start + 1) // row - count, _ROWS)) > 0:
        tags = np.ndarray(step, np.uint8, data, first.start - 1 + count * row, row)
        same = tags == tag
        count += step if same.all() else int(same.argmin())
        if not same.all():
            break
    # The first one counts even if its tag was written in more bytes than it needs.
    return np.ndarray(max(count, 1), dtype, data, first.start, row)


def _check(shape: Shape, given: int) -> None:
    if any(dim < 0 for dim in shape):
        raise WireError(f"its shape {shape} has a negative dimension")
    wanted = prod(shape)
    # Also without the zeros in it: strides are counted from the others.
    if prod(dim for dim in shape if dim) > _MAX_COUNT:
        raise WireError(f"its shape {shape} has more than 2^31 values")
    if wanted != given:
        raise WireError(f"its shape {shape} means {wanted} values, but it holds {given}")


def _assemble(shape: Shape, pieces: list[np.ndarray]) -> Tensor:
    """The pieces, one after the other, in a tensor of this shape."""
    tensor = torch.empty(shape, dtype=torch.float32)
    flat = tensor.view(-1).numpy()
    at = 0
    for piece in pieces:
        target = flat[at : at + piece.size]
        if piece.dtype == target.dtype and piece.flags.c_contiguous:
            # As bytes: values in a file are not aligned, and a plain copy is fastest.
            target.view(np.uint8)[:] = piece.view(np.uint8)
        else:
            with np.errstate(over="ignore", invalid="ignore"):  # a double beyond float32 becomes infinite
                target[:] = piece
        at += piece.size
    return tensor
