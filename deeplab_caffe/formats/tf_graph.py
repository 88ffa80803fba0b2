"""Reads the constants of a frozen TensorFlow graph (GraphDef, .pb) without TensorFlow.

Freezing turns each variable into a Const node of its name. The file is mapped and walked (wire.py).
Field numbers: TensorFlow's graph.proto, node_def.proto, attr_value.proto, tensor.proto.
"""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from ..errors import DeepLabError
from ..types import Shape
from . import wire
from .files import map_file
from .registry import ARRAYS, Format
from .stored import BFLOAT16, Floats, StoredArray, bytes_wanted, decode
from .tf_checkpoint import TF_DTYPES, read_shape
from .wire import BYTES, FIXED32, FIXED64, VARINT, Field, WireError

_GRAPH_NODE = 1
_NODE_NAME, _NODE_OP, _NODE_ATTR = 1, 2, 5
_KEY, _VALUE = 1, 2
_ATTR_TENSOR = 8
_DTYPE, _SHAPE, _CONTENT, _FLOATS, _DOUBLES, _HALVES = 1, 2, 4, 5, 6, 13
_FLOAT_TYPES = {"float32": _FLOATS, "float64": _DOUBLES, "float16": _HALVES, BFLOAT16: _HALVES}
# Far above any graph (the largest of DeepLab has about 10,000 nodes of 10 fields).
_MAX_FIELDS = 2_000_000
# TensorFlow writes a repeated field in one piece.
_MAX_PIECES = 1000
# Of a constant whose values are not in the file one by one.
_MAX_VALUES = 1 << 28


@dataclass
class _Tensor:
    """TensorProto: the values are `content`, or those of a repeated field, the last standing for the rest."""

    dtype: str = ""
    shape: Shape = ()
    content: Field | None = None
    numbers: tuple[Field, ...] = ()


class _Walker:
    """The fields of messages in `data`; WireError after more of them than any graph has."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.left = _MAX_FIELDS

    def fields(self, start: int, end: int) -> Iterator[Field]:
        for field in wire.fields(self.data, start, end):
            self.left -= 1
            if self.left < 0:
                raise WireError(f"more than {_MAX_FIELDS} fields")
            yield field

    def text(self, field: Field) -> str:
        wire.expect(field, BYTES)
        if field.end - field.start > 4096:
            raise WireError(f"a name of {field.end - field.start} bytes")
        return self.data[field.start : field.end].decode("utf-8", "backslashreplace")


def read_graph(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The floating-point constants of a frozen graph by node name.

    Raises DeepLabError for what is not a whole GraphDef, or holds no such constant.
    """
    source = os.fspath(path)
    data = map_file(path)
    walker = _Walker(data)
    constants: dict[str, StoredArray] = {}
    name = ""
    try:
        for field in walker.fields(0, len(data)):
            if field.number == _GRAPH_NODE:
                name, tensor = _node(walker, wire.expect(field, BYTES))
                if tensor is not None and tensor.dtype in _FLOAT_TYPES:
                    constants[name] = StoredArray(tensor.shape, partial(_read, data, tensor, source, name))
    except WireError as error:
        after = f" after node '{name}'" if name else ""
        raise DeepLabError(f"{source}: not a whole TensorFlow graph{after}: {error}") from None
    if not constants:
        raise DeepLabError(f"{source}: no floating-point constants in it: not a frozen graph")
    return constants


def _node(walker: _Walker, node: Field) -> tuple[str, _Tensor | None]:
    """The node's name and, of a Const node, its tensor."""
    name = op = ""
    tensor = None
    for field in walker.fields(node.start, node.end):
        if field.number == _NODE_NAME:
            name = walker.text(field)
        elif field.number == _NODE_OP:
            op = walker.text(field)
        elif field.number == _NODE_ATTR:
            key, value = "", None
            for part in walker.fields(wire.expect(field, BYTES).start, field.end):
                if part.number == _KEY:
                    key = walker.text(part)
                elif part.number == _VALUE:
                    value = wire.expect(part, BYTES)
            if key == "value" and value is not None:
                for part in walker.fields(value.start, value.end):
                    if part.number == _ATTR_TENSOR:
                        tensor = _tensor(walker, wire.expect(part, BYTES))
    return name, tensor if op == "Const" else None


def _tensor(walker: _Walker, message: Field) -> _Tensor:
    tensor = _Tensor()
    numbers: dict[int, list[Field]] = {}
    for field in walker.fields(message.start, message.end):
        if field.number == _DTYPE:
            tensor.dtype = TF_DTYPES.get(wire.expect(field, VARINT).value, "")
        elif field.number == _SHAPE:
            tensor.shape = read_shape(walker.data, wire.expect(field, BYTES))
        elif field.number == _CONTENT:
            tensor.content = wire.expect(field, BYTES)
        elif field.number in (_FLOATS, _DOUBLES, _HALVES):
            pieces = numbers.setdefault(field.number, [])
            pieces.append(field)
            if len(pieces) > _MAX_PIECES:
                raise WireError(f"values in more than {_MAX_PIECES} pieces")
    tensor.numbers = tuple(numbers.get(_FLOAT_TYPES.get(tensor.dtype, 0), ()))
    return tensor


def _read(data: mmap.mmap, tensor: _Tensor, source: str, name: str) -> Floats:
    try:
        if tensor.content is not None and tensor.content.end > tensor.content.start:
            found = tensor.content.end - tensor.content.start
            wanted = bytes_wanted(tensor.shape, tensor.dtype)
            if found != wanted:
                raise WireError(f"{found} bytes, {wanted} wanted for {list(tensor.shape)}")
            content = memoryview(data)[tensor.content.start : tensor.content.end]
            return decode(content, tensor.dtype, tensor.shape)
        if prod(tensor.shape) > _MAX_VALUES:
            raise WireError(f"shape {list(tensor.shape)} is too large")
        values = np.concatenate([np.zeros(0, np.float32), *(_numbers(data, f) for f in tensor.numbers)])
        if tensor.dtype in ("float16", BFLOAT16):
            values = decode(values.astype("<u2").tobytes(), tensor.dtype, values.shape)
        if values.size == prod(tensor.shape):
            return values.astype(np.float32).reshape(tensor.shape)
        if values.size > prod(tensor.shape):
            raise WireError(f"{values.size} values for shape {list(tensor.shape)}")
        # Fewer: the last stands for the rest (TensorFlow's splat); none: zeros.
        result = np.full(prod(tensor.shape), values[-1] if values.size else 0, np.float32)
        result[: values.size] = values
        return result.reshape(tensor.shape)
    except WireError as error:
        raise DeepLabError(f"{source}: node '{name}': {error}") from None


def _numbers(data: mmap.mmap, field: Field) -> np.ndarray:
    """The values of a float_val, double_val or half_val field, packed or single."""
    if field.kind == VARINT:
        return np.array([field.value & 0xFFFF])
    part = data[field.start : field.end]
    if field.number == _HALVES:
        values, at = [], 0
        while at < len(part):
            value, at = wire.read_varint(part, at, len(part))
            values.append(value & 0xFFFF)
        return np.array(values)
    size, single = (4, FIXED32) if field.number == _FLOATS else (8, FIXED64)
    if len(part) % size or field.kind not in (BYTES, single):
        raise WireError(f"field {field.number}: {len(part)} bytes of {size}-byte numbers")
    return np.frombuffer(part, f"<f{size}")


ARRAYS.register(Format("TensorFlow graph", (".pb",), read_graph))
