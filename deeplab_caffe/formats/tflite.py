"""Reads TensorFlow Lite files: the operators of the graph, its tensors, its constants.

The file is a FlatBuffer ("TFL3" at byte 4), of which the package `tflite` knows the schema. Offsets in it are
not to be trusted: what leads out of the file is an error of one line.
"""

import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import DeepLabError, one_line
from ..types import Floats, Shape
from .files import read_bytes
from .registry import ARRAYS, Format
from .stored import DTYPES, StoredArray, bytes_wanted, decode
from .tflite_metadata import METADATA, Normalization, read_normalization

_MAX_BYTES = 1 << 30
# Far above any net; they keep a hostile file from being walked for hours.
_MAX_ITEMS = 20_000  # tensors, operators, and what one of those lists
_MAX_NAMES = 16 << 20  # bytes of all names together
_FLOATS = ("float32", "float16")


_MOST_OF_NAME = 60  # characters, in an error


class _DamagedError(Exception):
    """What the tables say cannot be; in words."""


# What flatbuffers and NumPy raise where offsets or sizes are wrong.
_BROKEN = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError)


@dataclass(frozen=True)
class TFLiteTensor:
    """One tensor. shape: as TFLite has it, (1, H, W, C) for maps; dtype: "float32", ..., or its number.

    data: a constant's bytes, None for what operators make. fixed: whether the file tells every size.
    """

    name: str
    shape: Shape
    dtype: str
    data: memoryview | None
    fixed: bool = True

    @property
    def shown(self) -> str:
        """The name in an error: not too long."""
        return one_line(self.name, _MOST_OF_NAME)


@dataclass(frozen=True)
class TFLiteOperator:
    """One operator. inputs, outputs: numbers of tensors, -1 for an optional one that is not there.

    options: the package's table of it (Conv2DOptions, ...), None where there is none.
    """

    number: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class TFLiteGraph:
    """The main graph of a file: operators in the order they run; inputs, outputs: numbers of tensors.

    normalization: how an image becomes the input, if the file tells.
    """

    source: str
    tensors: list[TFLiteTensor]
    operators: list[TFLiteOperator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    normalization: Normalization | None = None

    def values(self, number: int) -> Floats:
        """A constant as float32. Raises DeepLabError: not a whole one, or not of floats or integers."""
        tensor = self.tensors[number]
        where = f"{self.source}: tensor '{tensor.shown}'"
        if tensor.data is None:
            raise DeepLabError(f"{where}: not a constant")
        if tensor.dtype not in DTYPES:
            raise DeepLabError(f"{where}: type {tensor.dtype} is not read")
        wanted = bytes_wanted(tensor.shape, tensor.dtype)
        if len(tensor.data) != wanted:
            raise DeepLabError(
                f"{where}: {len(tensor.data)} bytes, {wanted} wanted for shape {list(tensor.shape)}"
            )
        return decode(tensor.data, tensor.dtype, tensor.shape)


def read_tflite(path: str | os.PathLike[str]) -> TFLiteGraph:
    """The graph of a .tflite file; constants are read from it when somebody wants them.

    Raises DeepLabError, naming file and tensor: not a whole TFLite file, quantised weights (only float32 and
    float16 are read), or the package `tflite` is missing.
    """
    source = os.fspath(path)
    try:
        import tflite
    except ImportError:
        raise DeepLabError(f"{source}: this needs tflite: pip install 'deeplab_caffe[tflite]'") from None
    data = read_bytes(path, _MAX_BYTES)
    if data[4:8] != b"TFL3":
        raise DeepLabError(f"{source}: not a TFLite file")
    try:
        graph = _Reader(tflite, data, source).graph()
    except DeepLabError:
        raise
    except _DamagedError as error:
        raise DeepLabError(f"{source}: not a whole TFLite file: {error}") from None
    except _BROKEN:
        raise DeepLabError(f"{source}: not a whole TFLite file: cut off or damaged") from None
    if not graph.operators:
        raise DeepLabError(f"{source}: no operators in it")
    return graph


class _Reader:
    """Walks the tables. Raises _DamagedError or _BROKEN where the file is."""

    def __init__(self, tflite: Any, data: bytes, source: str) -> None:
        self.tflite, self.data, self.source = tflite, data, source
        self.model = tflite.Model.GetRootAs(data, 0)
        self.types = _names_of(tflite.TensorType)
        self.kinds = _names_of(tflite.BuiltinOperator)
        self.tables = _names_of(tflite.BuiltinOptions)
        self.names_left = _MAX_NAMES

    def graph(self) -> TFLiteGraph:
        if self.model.SubgraphsLength() < 1:
            raise _DamagedError("no graph in it")
        main = self.model.Subgraphs(0)
        tensors = [self._tensor(main.Tensors(i)) for i in range(_count(main.TensorsLength()))]
        count = len(tensors)
        operators = [
            self._operator(i, main.Operators(i), count) for i in range(_count(main.OperatorsLength()))
        ]
        inputs = _numbers(main.InputsLength(), main.Inputs, count)
        outputs = _numbers(main.OutputsLength(), main.Outputs, count)
        return TFLiteGraph(self.source, tensors, operators, inputs, outputs, self._normalization())

    def _normalization(self) -> Normalization | None:
        for i in range(_count(self.model.MetadataLength())):
            entry = self.model.Metadata(i)
            if entry.Name() == METADATA and (data := self._buffer(entry.Buffer())) is not None:
                return read_normalization(data.tobytes())
        return None

    def _tensor(self, table: Any) -> TFLiteTensor:
        name = _text(table.Name())
        self.names_left -= len(name)
        if self.names_left < 0:
            raise _DamagedError(f"more than {_MAX_NAMES} bytes of names")
        if table.ShapeLength() > 8:
            raise _DamagedError(f"tensor '{one_line(name)}': {table.ShapeLength()} axes")
        shape = tuple(table.Shape(i) for i in range(table.ShapeLength()))
        if min(shape, default=1) < 0:
            raise _DamagedError(f"tensor '{one_line(name)}': shape {list(shape)}")
        fixed = all(table.ShapeSignature(i) >= 0 for i in range(1, min(table.ShapeSignatureLength(), 8)))
        data = self._buffer(table.Buffer())
        kind = self.types.get(table.Type(), str(table.Type())).lower()
        if table.Sparsity() is not None:
            raise DeepLabError(
                f"{self.source}: tensor '{one_line(name, _MOST_OF_NAME)}': sparse weights are not read"
            )
        return TFLiteTensor(name, shape, kind, data, fixed)

    def _buffer(self, number: int) -> memoryview | None:
        if number >= self.model.BuffersLength():
            raise _DamagedError(f"no buffer {number}")
        values = self.model.Buffers(number).DataAsNumpy()
        return memoryview(values) if not isinstance(values, int) and values.size else None

    def _operator(self, number: int, table: Any, tensors: int) -> TFLiteOperator:
        if table.OpcodeIndex() >= self.model.OperatorCodesLength():
            raise _DamagedError(f"operator {number}: no code {table.OpcodeIndex()}")
        code = self.model.OperatorCodes(table.OpcodeIndex())
        # The older of both fields has 8 bits.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self.kinds.get(builtin, f"operator {builtin}")
        if kind == "CUSTOM":
            kind = f"CUSTOM {_text(code.CustomCode())[:64]}"
        inputs = _numbers(table.InputsLength(), table.Inputs, tensors)
        outputs = _numbers(table.OutputsLength(), table.Outputs, tensors)
        if not outputs or min(outputs) < 0:
            raise _DamagedError(f"operator {number} ({kind}): no output")
        return TFLiteOperator(number, kind, inputs, outputs, self._options(table))

    def _options(self, table: Any) -> Any:
        found = table.BuiltinOptions()
        name = self.tables.get(table.BuiltinOptionsType(), "NONE")
        if found is None or name == "NONE":
            return None
        options = getattr(self.tflite, name)()
        options.Init(found.Bytes, found.Pos)
        return options


def _names_of(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def _text(name: bytes | None) -> str:
    """A name in one line."""
    text = (name or b"").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def _count(number: int) -> int:
    if number > _MAX_ITEMS:
        raise _DamagedError(f"a list of {number}")
    return number


def _numbers(length: int, item: Callable[[int], int], tensors: int) -> tuple[int, ...]:
    """The numbers of tensors in a list."""
    found = tuple(item(i) for i in range(_count(length)))
    for number in found:
        if not -1 <= number < tensors:
            raise _DamagedError(f"no tensor {number}")
    return found


def _read_constants(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The floating-point constants by name of tensor."""
    graph = read_tflite(path)
    return {
        tensor.name: StoredArray(tensor.shape, partial(graph.values, number))
        for number, tensor in enumerate(graph.tensors)
        if tensor.data is not None and tensor.dtype in _FLOATS
    }


ARRAYS.register(Format("TFLite", (".tflite",), _read_constants, magic=re.compile(rb".{4}TFL3", re.DOTALL)))
