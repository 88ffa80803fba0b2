"""Scores in NumPy's .npy files."""

import os
import re
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DeepLabError
from .files import named_file, reading, replacing
from .registry import SCORES, Format
from .stored import StoredScores


def read_npy(path: str | os.PathLike[str]) -> NDArray[np.number]:
    """The array of an .npy file, mapped: its values stay in the file. Raises DeepLabError."""
    with reading(path, "no .npy file"):
        # Mapped, so that a file that promises more than it holds is refused before memory is taken.
        with warnings.catch_warnings():
            # Of sizes that overflow, which are refused then, and of headers that Python 2 wrote.
            warnings.simplefilter("ignore")
            values = np.load(named_file(path), mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise DeepLabError(f"{os.fspath(path)}: an array of numbers wanted")
    return values


def write_npy(path: str | os.PathLike[str], values: ArrayLike) -> None:
    """Writes an array, whole or not at all."""
    with replacing(path) as file:
        np.save(file, np.ascontiguousarray(values))


def _read_scores(path: str | os.PathLike[str]) -> StoredScores:
    return StoredScores(read_npy(path), "either")


SCORES.register(Format("NumPy", (".npy",), _read_scores, write_npy, re.compile(rb"\x93NUMPY")))
