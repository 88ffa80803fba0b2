"""Label maps in .mat files, as SBD (`GTcls.Segmentation`) and PASCAL-Context (`LabelMap`) have them."""

import os
import struct
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..errors import one_line
from .files import check_memory
from .mat_elements import (
    COMPLEX,
    DTYPES,
    INT32,
    MATRIX,
    NUMERIC_CLASSES,
    BrokenError,
    Buffer,
    element_at,
    variables,
)

_STRUCT_CLASS = 2
_MOST_FIELDS = 100


def read_mat_labels(path: str | os.PathLike[str], name: str) -> NDArray[np.integer]:
    """Reads a label map (rows, columns) of whole numbers from a .mat file of level 5.

    name: the variable's, or `VARIABLE.FIELD` for a field of a 1x1 struct. Raises DeepLabError: no such file,
    variable or field, no array of whole numbers of two dimensions, a broken file.
    """
    variable, _, field = name.partition(".")
    with variables(path) as (file_size, found):
        for each in found:
            if _name_of(each.head) != variable.encode():
                continue
            check_memory(path, file_size, file_size + each.size, f"variable '{variable}'")
            contents = each.contents()
            if field:
                contents = _field(contents, name)
            return _labels(contents, name)
        raise BrokenError(f"no variable '{variable}' in it")


def _name_of(data: Buffer) -> bytes:
    dims = element_at(data, element_at(data, 0).after)
    label = element_at(data, dims.after)
    return bytes(data[label.start : label.end])


def _field(data: Buffer, name: str) -> Buffer:
    """The array in a field of the struct."""
    wanted = name.partition(".")[2].encode()
    flags = element_at(data, 0)
    dims = element_at(data, flags.after)
    if data[flags.start] != _STRUCT_CLASS or _shape(data, dims.start, dims.end) != [1, 1]:
        raise BrokenError(f"'{name.partition('.')[0]}' is not a struct of 1x1")
    length = element_at(data, element_at(data, dims.after).after)
    if length.end - length.start != 4:
        raise BrokenError(f"'{name.partition('.')[0]}' has a broken header")
    (size,) = struct.unpack_from("<i", data, length.start)
    names = element_at(data, length.after)
    if size < 1 or (names.end - names.start) // size > _MOST_FIELDS:
        raise BrokenError(f"'{name.partition('.')[0]}' has a broken header")
    at = names.after
    fields = []
    for start in range(names.start, names.end, size):
        element = element_at(data, at)
        fields.append(bytes(data[start : start + size]).split(b"\0")[0])
        if fields[-1] == wanted:
            if element.code != MATRIX:
                raise BrokenError(f"'{name}' is no array")
            return data[element.start : element.end]
        at = element.after
    has = ", ".join(field.decode("ascii", "replace") for field in fields)
    raise BrokenError(f"no field '{name}'; there are: {one_line(has)}")


def _labels(data: Buffer, name: str) -> NDArray[np.integer]:
    flags = element_at(data, 0)
    dims = element_at(data, flags.after)
    (what,) = struct.unpack_from("<I", data, flags.start)
    if what & 0xFF not in NUMERIC_CLASSES or what & COMPLEX:
        raise BrokenError(f"'{name}' is not an array of real numbers")
    shape = _shape(data, dims.start, dims.end)
    if dims.code != INT32 or len(shape) != 2 or min(shape) < 1:
        raise BrokenError(f"'{name}' has the dimensions {shape[:5]}; rows and columns are wanted")
    body = element_at(data, element_at(data, dims.after).after)
    dtype = np.dtype(DTYPES.get(body.code, "u1"))
    count = prod(shape)
    if body.code not in DTYPES or count * dtype.itemsize != body.end - body.start:
        raise BrokenError(f"'{name}' has {body.end - body.start} bytes of values for {shape[0]}x{shape[1]}")
    # MATLAB counts the first dimension, the rows, fastest.
    values = np.frombuffer(data, dtype, count, body.start).reshape(shape[::-1]).T
    if dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**31)
        if not whole.all():
            raise BrokenError(f"'{name}' holds {values[~whole][0]:g}, no label")
        values = values.astype(np.int32)
    return values


def _shape(data: Buffer, start: int, end: int) -> list[int]:
    return np.frombuffer(data, "<i4", (end - start) // 4, start).tolist()
