"""Reads .safetensors: eight bytes with the length of a JSON header (types, shapes, offsets), raw values."""

import json
import os
import re
from functools import partial
from typing import Any

from ..errors import DeepLabError, one_line
from ..types import Shape
from .files import open_file, reading
from .registry import ARRAYS, Format
from .stored import BFLOAT16, Floats, StoredArray, bytes_wanted, decode, without_wrappers

_MAX_HEADER = 1 << 22  # far above any net's; Python's objects of JSON take thirty times its bytes
_MOST_OF_NAME = 80  # characters of a tensor's name in an error
_DTYPES = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": BFLOAT16,
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "BOOL": "bool",
}


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    """The tensors of the file by name. Raises DeepLabError, naming file and tensor."""
    source = os.fspath(path)
    with open_file(path) as file, reading(path):
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if _MAX_HEADER < length <= size - 8:
            raise DeepLabError(f"{source}: a header of {length} bytes; at most {_MAX_HEADER} are read")
        if size < 8 or length > size - 8:
            raise DeepLabError(f"{source}: not a whole safetensors file: no header of {length} bytes")
        header = file.read(length)
    with reading(path, "not a safetensors file: its header is not JSON"):
        tensors = json.loads(header)
    if not isinstance(tensors, dict):
        raise DeepLabError(f"{source}: not a safetensors file: its header is not an object")
    begin = 8 + length
    result: dict[str, StoredArray] = {}
    for name, item in tensors.items():
        if name == "__metadata__":
            continue
        dtype, shape, start, end = _tensor(item, source, one_line(name, _MOST_OF_NAME))
        if end > size - begin or end - start != bytes_wanted(shape, dtype):
            raise DeepLabError(
                f"{source}: tensor '{one_line(name, _MOST_OF_NAME)}': "
                f"bytes {start} to {end} of {size - begin}, "
                f"{bytes_wanted(shape, dtype)} wanted for shape {list(shape)}"
            )
        result[name] = StoredArray(shape, partial(_read, source, begin + start, end - start, dtype, shape))
    return result


def _tensor(item: Any, source: str, name: str) -> tuple[str, tuple[int, ...], int, int]:
    """The header's entry, checked: type, shape, first and last offset."""
    try:
        dtype, shape, (start, end) = item["dtype"], item["shape"], item["data_offsets"]
        numbers = [*shape, start, end]
        if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or start > end:
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise DeepLabError(
            f"{source}: tensor '{name}': dtype, shape or data_offsets are not as they should be"
        ) from None
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise DeepLabError(
            f"{source}: tensor '{name}': type {one_line(repr(dtype), 40)} is not one of {', '.join(_DTYPES)}"
        )
    return _DTYPES[dtype], tuple(shape), start, end


def _read(source: str, start: int, size: int, dtype: str, shape: Shape) -> Floats:
    with open_file(source) as file, reading(source):
        file.seek(start)
        return decode(file.read(size), dtype, shape)


def _read_weights(path: str | os.PathLike[str]) -> dict[str, StoredArray]:
    return without_wrappers(read_safetensors(path))


# A length, then JSON.
ARRAYS.register(
    Format("safetensors", (".safetensors",), _read_weights, magic=re.compile(rb".{8}\{", re.DOTALL))
)
