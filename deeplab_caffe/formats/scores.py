"""Class scores, probabilities and energies of an image in files."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from .bin import read_bin
from .mat import read_mat

SUFFIXES = (".npy", ".mat", ".bin")


def read_values(path: str | os.PathLike[str], height: int, width: int) -> NDArray[np.float32]:
    """Values (height, width, labels) of an image from .npy, .mat (MatWrite) or .bin (rows, columns, labels).

    An .npy array may be (height, width, labels), or (labels, H, W) or (1, labels, H, W) as nets give it; of a
    larger H x W, also in .mat, the top left part of the image's size is taken. Raises DeepLabError.
    """
    source = Path(path)
    suffix = source.suffix.lower()
    if suffix == ".mat":
        values = read_mat(source)
    elif suffix == ".bin":
        values = read_bin(source)
        if values.dtype != np.float32:
            raise DeepLabError(f"{source}: a label map (int16), scores or probabilities (float32) wanted")
    elif suffix == ".npy":
        values = _read_npy(source)
    else:
        raise DeepLabError(f"{source}: a file of type {', '.join(SUFFIXES)} wanted")
    shape = values.shape
    if suffix != ".mat" and values.ndim == 3 and shape[:2] == (height, width):
        return np.ascontiguousarray(values, np.float32)
    if values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if suffix == ".bin" or values.ndim != 3 or values.shape[1] < height or values.shape[2] < width:
        raise DeepLabError(
            f"{source}: {' x '.join(map(str, shape))} values for an image of {height} x {width}"
        )
    return np.ascontiguousarray(values[:, :height, :width].transpose(1, 2, 0), np.float32)


def _read_npy(path: Path) -> NDArray[np.float32]:
    try:
        # Mapped, so that a file that promises more than it holds is refused before memory is taken.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DeepLabError(f"{path}: no .npy file: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise DeepLabError(f"{path}: an array of numbers wanted")
    return values
