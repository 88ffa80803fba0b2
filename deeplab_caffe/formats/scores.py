"""Class scores, probabilities and energies of an image in files, in every format there is."""

import os

import numpy as np

from ..errors import DeepLabError
from ..types import Floats
from .registry import SCORES, import_formats
from .stored import StoredScores

import_formats("SCORES")


def read_scores(path: str | os.PathLike[str]) -> StoredScores:
    """What the file holds, scores or a label map. Raises DeepLabError."""
    return SCORES.find(path).read(path)


def read_values(path: str | os.PathLike[str], height: int, width: int) -> Floats:
    """Values (height, width, labels) of an image from .npy, .mat (MatWrite) or .bin (rows, columns, labels).

    An .npy array may be (height, width, labels), or (labels, H, W) or (1, labels, H, W) as nets give it; of a
    larger H x W, also in .mat, the top left part of the image's size is taken. Raises DeepLabError.
    """
    return as_values(read_scores(path), path, height, width)


def as_values(stored: StoredScores, path: str | os.PathLike[str], height: int, width: int) -> Floats:
    """`read_values` of what read_scores gave; path: for errors."""
    source, values = os.fspath(path), stored.values
    if stored.order == "label map":
        raise DeepLabError(f"{source}: a label map (int16), scores or probabilities (float32) wanted")
    shape = values.shape
    if not values.size:
        raise DeepLabError(f"{source}: no values in it: {' x '.join(map(str, shape))}")
    if stored.order != "labels first" and values.ndim == 3 and shape[:2] == (height, width):
        return np.ascontiguousarray(values, np.float32)
    if values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if (
        stored.order == "labels last"
        or values.ndim != 3
        or values.shape[1] < height
        or values.shape[2] < width
    ):
        given = " x ".join(map(str, shape))
        raise DeepLabError(f"{source}: {given} values for an image of {height} x {width}")
    return np.ascontiguousarray(values[:, :height, :width].transpose(1, 2, 0), np.float32)


def write_scores(path: str | os.PathLike[str], scores: Floats) -> None:
    """Writes scores (labels, H, W) in the format that the name's end tells. Raises DeepLabError."""
    SCORES.writer(path)(path, scores)
