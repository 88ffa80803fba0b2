"""Label maps in files: the truth, and what some program left in a folder."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..formats.scores import as_values, read_scores
from ..images.image_file import read_label
from . import metrics


def read_truth(path: str | os.PathLike[str]) -> NDArray[np.integer]:
    """A label map (H, W) of ground truth: an image of numbers, or .npy, .bin or .mat with one channel.

    Raises DeepLabError for anything else, naming the first value that is no label.
    """
    if Path(path).suffix.lower() not in (".npy", ".bin", ".mat"):
        return read_label(path)
    stored = read_scores(path)
    values = stored.values[:, :, 0] if stored.order == "label map" else stored.values
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2:
        shape = " x ".join(map(str, stored.values.shape))
        raise DeepLabError(f"{os.fspath(path)}: {shape} values; a label map has rows and columns")
    wrong = ~((values >= 0) & (values <= 255) & (values == np.floor(values)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DeepLabError(
            f"{os.fspath(path)}: row {row}, column {column}: {values[row, column]:g} is no label"
        )
    return values.astype(np.uint8)


def read_prediction(folder: str | os.PathLike[str], name: str, height: int, width: int) -> NDArray:
    """The label map (height, width) of image `name` in a folder.

    NAME.png (labels), NAME.bin (int16 labels or float32 scores), NAME_blob_0.mat, NAME.mat or NAME.npy
    (scores). Scores larger than the image are padded ones, and cut at the right and bottom; labels have its
    size. Raises DeepLabError where they do not fit.
    """
    for ending in (".png", ".bin", "_blob_0.mat", ".mat", ".npy"):
        path = Path(folder) / f"{name}{ending}"
        if path.exists():
            break
    else:
        raise DeepLabError(f"{folder}: no prediction {name}.png, .bin, .mat or .npy")
    labels: NDArray[np.integer]
    if ending == ".png":
        labels = read_label(path)
    elif (stored := read_scores(path)).order == "label map":
        labels = stored.values[:, :, 0]
    else:
        labels = metrics.argmax_labels(as_values(stored, path, height, width).transpose(2, 0, 1))
    if labels.shape != (height, width):
        shape = f"{labels.shape[0]}x{labels.shape[1]}"
        raise DeepLabError(f"{path}: {shape} labels for an image of {height}x{width}")
    return labels
