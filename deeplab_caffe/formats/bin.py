"""The .bin files of DeepLab v1's scripts and CRF programs: a 3-dimensional array of numbers.

Three int32 (rows, columns, channels), then the values, row fastest, then column, then channel: float32 for
scores and probabilities, int16 for label maps, all little-endian.
"""

import os
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .files import open_file, reading, replacing
from .registry import SCORES, Format
from .stored import StoredScores

_HEADER = struct.Struct("<3i")
_TYPES = (np.dtype("<i2"), np.dtype("<f4"))


def read_bin(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Reads a .bin file as (rows, columns, channels), int16 or float32: the file's length tells which.

    Raises DeepLabError: no such file, a dimension below 1, a length that fits neither type.
    """
    source = os.fspath(path)
    with open_file(path) as file, reading(path):
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise DeepLabError(f"{source}: {len(header)} bytes: too short for a .bin file")
        shape = _HEADER.unpack(header)
        count = shape[0] * shape[1] * shape[2]
        size = os.fstat(file.fileno()).st_size - _HEADER.size
        dtype = next((t for t in _TYPES if count * t.itemsize == size), None)
        if min(shape) < 1 or dtype is None:
            raise DeepLabError(
                f"{source}: {size} bytes of values for {shape[0]}x{shape[1]}x{shape[2]}: "
                "neither int16 nor float32"
            )
        values = np.fromfile(file, dtype, count)
    if values.size != count:
        raise DeepLabError(f"{source}: cut off after {values.size} of {count} values")
    return values.reshape(shape, order="F")


def write_bin(path: str | os.PathLike[str], values: NDArray[Any]) -> None:
    """Writes (rows, columns) or (rows, columns, channels), int16 or float32."""
    if values.ndim not in (2, 3) or values.dtype not in _TYPES:
        wanted = "int16 or float32 of 2 or 3 axes wanted"
        raise DeepLabError(f"{os.fspath(path)}: {values.dtype} of shape {values.shape}; {wanted}")
    values = values.reshape(values.shape + (1,) * (3 - values.ndim))
    with replacing(path) as file:
        file.write(_HEADER.pack(*values.shape))
        # The transpose, row by row, is the array column by column.
        file.write(np.ascontiguousarray(values.T, values.dtype.newbyteorder("<")).data)


def _read_scores(path: str | os.PathLike[str]) -> StoredScores:
    values = read_bin(path)
    return StoredScores(values, "labels last" if values.dtype == np.float32 else "label map")


def _write_scores(path: str | os.PathLike[str], scores: Floats) -> None:
    write_bin(path, scores.transpose(1, 2, 0).astype(np.float32, copy=False))


SCORES.register(Format("DeepLab v1", (".bin",), _read_scores, _write_scores))
