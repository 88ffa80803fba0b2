"""Reads the variables of a TensorFlow checkpoint (version 2, a "tensor bundle") without TensorFlow.

PREFIX.index is a table (sstable.py): "" -> header, variable name -> entry (type, shape, where); the values
lie raw in PREFIX.data-SSSSS-of-NNNNN. (TensorFlow, tensor_bundle.proto.)
"""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import DeepLabError
from ..types import Shape
from . import wire
from .crc32c import crc32c, masked
from .files import file_size, open_file, read_bytes, reading
from .registry import ARRAYS, Format
from .sstable import read_table
from .stored import BFLOAT16, Floats, StoredArray, bytes_wanted, decode
from .wire import BYTES, FIXED32, VARINT, WireError

_MAX_INDEX = 16 << 20
_INDEX, _DATA = ".index", ".data-"
_SAVED_MODEL = "saved_model.pb"
_OBJECT = "/.ATTRIBUTES/VARIABLE_VALUE"  # ends the names in checkpoints that TensorFlow 2 writes

# TensorFlow's DataType numbers (types.proto) of what can be read here.
TF_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: BFLOAT16,
    19: "float16",
}


@dataclass
class _Entry:
    """BundleEntryProto: bytes offset..offset+size of a shard."""

    dtype: int = 0
    shape: Shape = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    sliced: bool = False


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The numeric variables of a checkpoint by name.

    path: the prefix, the .index or a .data file of it, or a folder that holds one checkpoint. The index is
    checked whole and the data files' sizes; a variable's checksum is checked when it is read. A variable
    saved in slices is listed, but reading it is an error. Raises DeepLabError, naming file and variable.
    """
    prefix = checkpoint_prefix(path)
    index = prefix + _INDEX
    try:
        table = read_table(read_bytes(index, _MAX_INDEX))
        shards = _shards(table.get(b""))
    except WireError as error:
        raise DeepLabError(f"{index}: not a whole checkpoint index: {error}") from None
    sizes: dict[int, int] = {}
    variables: dict[str, StoredArray] = {}
    for key, value in table.items():
        # Keys that start with a zero byte hold the slices of partitioned variables.
        if not key or key.startswith(b"\0"):
            continue
        name = key.decode("utf-8", "backslashreplace")
        try:
            entry = _entry(value)
        except WireError as error:
            raise DeepLabError(f"{index}: variable '{name}': {error}") from None
        if entry.sliced:
            variables[name] = StoredArray(entry.shape, partial(_refuse_slices, index, name))
        elif entry.dtype in TF_DTYPES:
            if not 0 <= entry.shard < shards:
                raise DeepLabError(f"{index}: variable '{name}': shard {entry.shard} of {shards}")
            file = f"{prefix}{_DATA}{entry.shard:05d}-of-{shards:05d}"
            if entry.shard not in sizes:
                sizes[entry.shard] = file_size(file)
            _check_size(entry, file, name, sizes[entry.shard])
            if name.endswith(_OBJECT):
                raise DeepLabError(
                    f"{index}: variable '{name}': named after TensorFlow 2's (Keras's) objects, not as a "
                    "checkpoint of DeepLab; convert the model to .tflite with TensorFlow, and that"
                )
            variables[name] = StoredArray(entry.shape, partial(_read, entry, file, name))
    return variables


def checkpoint_prefix(path: str | os.PathLike[str]) -> str:
    """The prefix that `path` names: itself, one of its files, or a folder with one checkpoint in it.

    A SavedModel is the folder of one, or that folder's saved_model.pb.
    """
    text = os.fspath(path)
    if os.path.basename(text) == _SAVED_MODEL:
        text = os.path.dirname(text) or "."
    if os.path.isdir(text):
        if os.path.exists(os.path.join(text, _SAVED_MODEL)):
            text = os.path.join(text, "variables")
            if not list(Path(text).glob("*" + _INDEX)):
                raise DeepLabError(
                    f"{text}: no variables in this SavedModel: its graph holds the weights; use the frozen "
                    "graph (.pb) it was made from, or convert it to .tflite with TensorFlow"
                )
        found = sorted(str(file) for file in Path(text).glob("*" + _INDEX))
        if len(found) != 1:
            names = ", ".join(os.path.basename(file) for file in found[:5]) or "none"
            raise DeepLabError(f"{text}: one checkpoint wanted, {len(found)} in this folder: {names}")
        text = found[0]
    if text.endswith(_INDEX):
        return text.removesuffix(_INDEX)
    folder, name = os.path.split(text)
    if _DATA in name:
        return os.path.join(folder, name[: name.rindex(_DATA)])
    if os.path.isfile(text) and not os.path.exists(text + _INDEX):
        raise DeepLabError(
            f"{text}: no {os.path.basename(text)}{_INDEX} beside it: not a version 2 checkpoint"
        )
    return text


def _shards(header: bytes | None) -> int:
    """BundleHeaderProto: 1 number of shards, 2 endianness (1: big)."""
    if header is None:
        raise WireError("no header in it")
    shards = big = 0
    for field in wire.fields(header, 0, len(header)):
        if field.number == 1:
            shards = wire.expect(field, VARINT).value
        elif field.number == 2:
            big = wire.expect(field, VARINT).value
    if big:
        raise WireError("big-endian numbers, which are not supported")
    return shards


def _entry(data: bytes) -> _Entry:
    entry = _Entry()
    for field in wire.fields(data, 0, len(data)):
        if field.number == 2:
            entry.shape = read_shape(data, wire.expect(field, BYTES))
        elif field.number == 6:
            wire.expect(field, FIXED32)
            entry.crc = int.from_bytes(data[field.start : field.end], "little")
        elif field.number == 7:
            entry.sliced = True
        elif field.number in (1, 3, 4, 5):
            attribute = {1: "dtype", 3: "shard", 4: "offset", 5: "size"}[field.number]
            setattr(entry, attribute, wire.expect(field, VARINT).value)
    return entry


def read_shape(data: wire.Buffer, message: wire.Field) -> tuple[int, ...]:
    """TensorShapeProto: 2 a dimension (1 its size; 0 is left out). Raises WireError."""
    shape: list[int] = []
    for field in wire.fields(data, message.start, message.end):
        if field.number != 2:
            continue
        if len(shape) == 32:
            raise WireError("more than 32 dimensions")
        size = 0
        for part in wire.fields(data, wire.expect(field, BYTES).start, field.end):
            if part.number == 1:
                size = wire.expect(part, VARINT).value
        if size >= 1 << 40:
            raise WireError("a dimension that is not known or not possible")
        shape.append(size)
    return tuple(shape)


def _check_size(entry: _Entry, file: str, name: str, size: int) -> None:
    wanted = bytes_wanted(entry.shape, TF_DTYPES[entry.dtype])
    if entry.size != wanted:
        raise DeepLabError(
            f"{file}: variable '{name}': {entry.size} bytes, {wanted} wanted for {list(entry.shape)}"
        )
    if entry.offset + entry.size > size:
        raise DeepLabError(
            f"{file}: cut off: variable '{name}' ends at byte {entry.offset + entry.size}, the file at {size}"
        )


def _read(entry: _Entry, file: str, name: str) -> Floats:
    with open_file(file) as stream, reading(file):
        stream.seek(entry.offset)
        data = stream.read(entry.size)
    if len(data) != entry.size or masked(crc32c(data)) != entry.crc:
        raise DeepLabError(f"{file}: damaged: wrong checksum of variable '{name}'")
    return decode(data, TF_DTYPES[entry.dtype], entry.shape)


def _refuse_slices(index: str, name: str) -> Floats:
    raise DeepLabError(f"{index}: variable '{name}' is saved in slices (partitioned): not supported")


def _owns(path: str) -> bool:
    """Whether `path` is a folder, a SavedModel, or a prefix or one of the data files of a checkpoint."""
    name = os.path.basename(path)
    return os.path.isdir(path) or os.path.exists(path + _INDEX) or _DATA in name or name == _SAVED_MODEL


ARRAYS.register(Format("TensorFlow checkpoint", (_INDEX,), read_checkpoint, owns=_owns))
