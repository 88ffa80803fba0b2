"""Reads and writes caffemodel files: a binary NetParameter, of which layer names, types and blobs matter.

The reader maps the file and walks it (wire.py); each blob is copied once, from the map into its tensor, so
reading takes about the time of that copy, and nothing refers to the file afterwards. Or large blobs stay in
the file (file_blob.py).
"""

import mmap
import os
import re
from collections.abc import Sequence

from torch import Tensor

from ..errors import DeepLabError, one_line
from . import wire
from .blob import Place, blob_message, find_blob, message_size, read_blob, write_pieces
from .file_blob import SAME_BYTE_ORDER, FileBlob, OpenFile, in_memory
from .files import map_file, reading, replacing
from .layer_types import V0_TYPES, V1_WIRE_NUMBERS, v1_wire_type
from .records import LayerBlobs
from .registry import LAYERS, Format
from .wire import BYTES, VARINT, WireError

# Far above any net; they keep a hostile file of empty records from filling the memory.
_MAX_LAYERS = 100_000
_MAX_BLOBS = 100_000
# Protobuf readers, Caffe's among them, take no larger message.
_MAX_FILE = 2**31 - 1
# Blobs with fewer values are read at once in any case.
_LEAST_LEFT_IN_FILE = 4096

# Field numbers of the three kinds of records.
_NET_NAME, _NET_V1, _NET_V2 = 1, 2, 100
_V1_V0, _V1_NAME, _V1_TYPE, _V1_BLOBS = 1, 4, 5, 6
_V2_NAME, _V2_TYPE, _V2_BLOBS = 1, 2, 7
_V0_NAME, _V0_TYPE, _V0_BLOBS = 1, 2, 50


def read_caffemodel(path: str | os.PathLike[str], in_file: bool = False) -> list[LayerBlobs]:
    """Reads the layers of a caffemodel (V0, V1 or V2 records), in file order, those without blobs included.

    in_file: blobs of many values stay in the file, which is kept open, as FileBlobs, unless they are written
    in a way that only reading undoes (doubles, values with a tag each, HDF5).

    Raises DeepLabError, naming file, layer and blob, for what is not a whole caffemodel.
    """
    source = os.fspath(path)
    opened = OpenFile(path) if in_file and SAME_BYTE_ORDER else None
    data = map_file(path) if opened is None else opened.map()
    layers = _read_net(data, len(data), source, opened)
    if not layers:
        raise DeepLabError(f"{source}: no layers in it: not a caffemodel")
    return layers


def read_name(path: str | os.PathLike[str]) -> str:
    """The name of the net in a caffemodel; "" if it has none. Raises DeepLabError."""
    with reading(path), map_file(path) as data:
        for record in wire.fields(data, 0, len(data)):
            if record.number == _NET_NAME:
                return _text(data, record)
    return ""


def _read_net(data: mmap.mmap, size: int, source: str, opened: OpenFile | None) -> list[LayerBlobs]:
    layers: list[LayerBlobs] = []
    blobs = 0
    try:
        for record in wire.fields(data, 0, size):
            if record.number not in (_NET_V1, _NET_V2):
                continue
            wire.expect(record, BYTES)
            if len(layers) == _MAX_LAYERS:
                raise WireError(f"more than {_MAX_LAYERS} layers")
            layers.append(_read_layer(data, record, source, opened))
            _forget(data, record)
            blobs += len(layers[-1].blobs)
            if blobs > _MAX_BLOBS:
                raise WireError(f"more than {_MAX_BLOBS} blobs")
    except WireError as error:
        after = f" after layer '{layers[-1].name}'" if layers else ""
        raise DeepLabError(f"{source}: not a whole caffemodel{after}: {error}") from None
    return layers


def _forget(data: mmap.mmap, record: wire.Field) -> None:
    """Lets go of the pages of a record that has been copied: file and tensors need not both be in memory."""
    start = record.start - record.start % mmap.PAGESIZE
    if hasattr(data, "madvise"):
        data.madvise(mmap.MADV_DONTNEED, start, record.end - start)


def _read_layer(data: mmap.mmap, record: wire.Field, source: str, opened: OpenFile | None) -> LayerBlobs:
    """One record. The name may come after the blobs, so the fields are collected first."""
    v2 = record.number == _NET_V2
    name_field, type_field, blobs_field = (
        (_V2_NAME, _V2_TYPE, _V2_BLOBS) if v2 else (_V1_NAME, _V1_TYPE, _V1_BLOBS)
    )
    name, kind = "", ""
    records: list[wire.Field] = []
    number = 0
    for part in wire.fields(data, record.start, record.end):
        if part.number == name_field:
            name = _text(data, part)
        elif part.number == type_field and v2:
            kind = _text(data, part)
        elif part.number == type_field:
            number = wire.expect(part, VARINT).value
        elif part.number == blobs_field:
            records.append(wire.expect(part, BYTES))
        elif part.number == _V1_V0 and not v2:
            for old in wire.fields(data, wire.expect(part, BYTES).start, part.end):
                if old.number == _V0_NAME:
                    name = _text(data, old)
                elif old.number == _V0_TYPE:
                    kind = V0_TYPES.get(_text(data, old), "")
                elif old.number == _V0_BLOBS:
                    records.append(wire.expect(old, BYTES))
        if len(records) > _MAX_BLOBS:
            raise WireError(f"more than {_MAX_BLOBS} blobs")
    if not v2 and not kind:
        kind = v1_wire_type(number, bool(records))
    blobs: list[Tensor | FileBlob] = []
    for index, message in enumerate(records):
        what = f"layer '{one_line(name)}', blob {index}"
        try:
            blobs.append(_read_blob(data, message, opened, what))
        except WireError as error:
            raise DeepLabError(f"{source}: {what}: {error}") from None
    return LayerBlobs(name, kind, blobs)


def _read_blob(data: mmap.mmap, blob: wire.Field, opened: OpenFile | None, what: str) -> Tensor | FileBlob:
    if opened is None:
        return read_blob(data, blob.start, blob.end)
    found = find_blob(data, blob.start, blob.end, _LEAST_LEFT_IN_FILE)
    return FileBlob(opened, what, *found) if isinstance(found, Place) else found


def _text(data: mmap.mmap, part: wire.Field) -> str:
    wire.expect(part, BYTES)
    if part.end - part.start > 4096:
        raise WireError(f"a name of {part.end - part.start} bytes")
    return data[part.start : part.end].decode("utf-8", "backslashreplace")


def write_caffemodel(
    path: str | os.PathLike[str],
    layers: Sequence[LayerBlobs],
    layout: str = "v2",
    name: str = "",
    durable: bool = False,
    old_shapes: bool = False,
) -> None:
    """Writes a caffemodel that Caffe itself reads: V2 records with shapes, or ("v1") V1 records of four axes.

    name: the net's name. old_shapes: in V2 records, too, blobs of four axes say num, channels, height and
    width, with which Caffe takes a bias (1, 1, 1, n) for (n). Nothing appears at `path` before the file is
    whole; with `durable`, before it is on disk. Raises DeepLabError: more than 2 GB, and in the V1 layout a
    type or a number of axes which that layout cannot say.
    """
    source = os.fspath(path)
    if layout not in ("v1", "v2"):
        raise DeepLabError(f"{source}: layout '{layout}': v1 or v2 wanted")
    # Per layer: the record's header, then for each blob its header and values.
    pieces: list[bytes | Tensor] = [wire.bytes_field(_NET_NAME, name.encode())] if name else []
    for layer in layers:
        pieces += _record(layer, layout, source, old_shapes)
    size = message_size(pieces)
    if size > _MAX_FILE:
        raise DeepLabError(f"{source}: {size} bytes; a caffemodel has at most {_MAX_FILE} (2 GB)")
    with replacing(path, durable) as file:
        write_pieces(file, pieces)


def _record(layer: LayerBlobs, layout: str, source: str, old_shapes: bool) -> list[bytes | Tensor]:
    name = layer.name.encode()
    if layout == "v2":
        number, blobs_field = _NET_V2, _V2_BLOBS
        head = wire.bytes_field(_V2_NAME, name) + wire.bytes_field(_V2_TYPE, layer.type.encode())
    else:
        number, blobs_field = _NET_V1, _V1_BLOBS
        if layer.type not in V1_WIRE_NUMBERS:
            raise DeepLabError(
                f"{source}: layer '{layer.name}': type {layer.type} has no V1 number; use layout v2"
            )
        head = wire.bytes_field(_V1_NAME, name) + wire.number_field(_V1_TYPE, V1_WIRE_NUMBERS[layer.type])
    body: list[bytes | Tensor] = [head]
    for index, blob in enumerate(layer.blobs):
        try:
            values = in_memory(blob)
            four_axes = layout == "v1" or (old_shapes and values.dim() == 4)
            pieces = blob_message(values, four_axes)
        except ValueError as error:
            raise DeepLabError(f"{source}: layer '{layer.name}', blob {index}: {error}") from None
        body += [wire.bytes_header(blobs_field, message_size(pieces)), *pieces]
    return [wire.bytes_header(number, message_size(body)), *body]


# It begins with a field of NetParameter: the name, the inputs, a layer.
_BEGINNING = re.compile(rb"[\x0a\x12\x1a\x20\x28\x32\x38\x42]|\xa2\x06")

LAYERS.register(Format("caffemodel", (".caffemodel",), read_caffemodel, write_caffemodel, _BEGINNING))
