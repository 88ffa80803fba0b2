"""The metadata that a TFLite file may carry: how an image becomes the input.

A FlatBuffer of its own (TensorFlow Lite Support, metadata_schema.fbs), in one of the file's buffers. A field
is here the number of its slot in a table.
"""

from dataclasses import dataclass
from typing import Any

METADATA = b"TFLITE_METADATA"

_MODEL_GRAPHS, _GRAPH_INPUTS, _INPUT_UNITS = 3, 2, 4
_UNIT_KIND, _UNIT_OPTIONS, _NORMALIZATION = 0, 1, 1
_MEAN, _STD = 0, 1
_MOST_UNITS = 100


@dataclass(frozen=True)
class Normalization:
    """The input is (byte - mean) / std: one number each, or one for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def read_normalization(data: bytes) -> Normalization | None:
    """That of the first input of the first graph; None if the metadata tell none.

    Raises what flatbuffers and NumPy do where offsets lead out of `data`.
    """
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    root = Table(data, encode.Get(packer.uoffset, data, 0))
    for graph in _tables(root, _MODEL_GRAPHS, 1):
        for tensor in _tables(graph, _GRAPH_INPUTS, 1):
            for unit in _tables(tensor, _INPUT_UNITS, _MOST_UNITS):
                if (options := _options(unit)) is not None:
                    return Normalization(_floats(options, _MEAN), _floats(options, _STD))
    return None


def _offset(table: Any, slot: int) -> int:
    return int(table.Offset(4 + 2 * slot))


def _tables(table: Any, slot: int, most: int) -> list[Any]:
    """The first tables of a list of them."""
    offset = _offset(table, slot)
    if not offset:
        return []
    start = table.Vector(offset)
    count = min(most, table.VectorLen(offset))
    return [type(table)(table.Bytes, table.Indirect(start + 4 * i)) for i in range(count)]


def _options(unit: Any) -> Any:
    """The options of a process unit, if they are a normalisation's."""
    kind = _offset(unit, _UNIT_KIND)
    if not kind or unit.Bytes[unit.Pos + kind] != _NORMALIZATION or not _offset(unit, _UNIT_OPTIONS):
        return None
    options = type(unit)(unit.Bytes, 0)
    unit.Union(options, _offset(unit, _UNIT_OPTIONS))
    return options


def _floats(table: Any, slot: int) -> tuple[float, ...]:
    from flatbuffers.number_types import Float32Flags

    offset = _offset(table, slot)
    return tuple(map(float, table.GetVectorAsNumpy(Float32Flags, offset))) if offset else ()
