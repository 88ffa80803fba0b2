"""Measures of label maps against ground truth over a list of images: counts, table, pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .errors import DeepLabError
from .formats.bin import read_bin
from .formats.files import replacing
from .score_files import read_values
from .transforms import read_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (1, 2, 3, 5, 8, 12, 20, 40)  # pixels, of the trimap bands


@dataclass(frozen=True)
class Band:
    """Accuracy within `width` pixels of a void pixel; `pixels`: how many labelled ones lie there."""

    width: int
    pixels: int
    pixel_accuracy: float
    mean_iou: float


class Evaluation:
    """Confusion counts of all images added so far, over the whole image and in trimap bands.

    labels: the number of classes. widths: of the bands, in pixels; see metrics.trimap. Pixels whose truth is
    255 (void) are left out.
    """

    def __init__(self, labels: int, widths: Sequence[int] = WIDTHS) -> None:
        if not 0 < labels <= 255:
            raise DeepLabError(f"{labels} labels given, 1 to 255 wanted")
        if any(not 0 < width <= 1000 for width in widths):
            raise DeepLabError(f"trimap widths {', '.join(map(str, widths))}: 1 to 1000 wanted")
        self.labels, self.widths, self.images = labels, sorted(set(widths)), 0
        self.counts = np.zeros((labels, labels), np.int64)
        self._band_counts = np.zeros((len(self.widths), labels, labels), np.int64)

    def add(self, truth: NDArray, predicted: NDArray) -> None:
        """Counts one image: label maps (H, W); DeepLabError if they do not fit."""
        self.counts += metrics.confusion(truth, predicted, self.labels)
        self.images += 1
        if not self.widths:
            return
        distance = metrics.void_distance(truth, self.widths[-1])
        for counts, width in zip(self._band_counts, self.widths, strict=True):
            inside = distance <= width
            counts += metrics.confusion(truth[inside], predicted[inside], self.labels)

    @property
    def bands(self) -> list[Band]:
        """The measures in each band, the narrowest first."""
        return [
            Band(width, int(counts.sum()), metrics.pixel_accuracy(counts), metrics.mean_iou(counts))
            for width, counts in zip(self.widths, self._band_counts, strict=True)
        ]

    def report(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """All measures, as JSON has them; NaN becomes null. names: of the classes."""
        recall, iou = metrics.class_recall(self.counts), metrics.class_iou(self.counts)
        return {
            "images": self.images,
            "pixels": int(self.counts.sum()),
            "mean_iou": metrics.mean_iou(self.counts),
            "pixel_accuracy": metrics.pixel_accuracy(self.counts),
            "mean_class_accuracy": metrics.mean_recall(self.counts),
            "classes": [
                {
                    "label": label,
                    "name": names[label] if label < len(names) else str(label),
                    "iou": _number(iou[label]),
                    "accuracy": _number(recall[label]),
                    "pixels": int(self.counts[label].sum()),
                }
                for label in range(self.labels)
            ],
            "trimap": [vars(band) for band in self.bands],
            "confusion": self.counts.tolist(),
        }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def read_prediction(folder: str | os.PathLike[str], name: str, height: int, width: int) -> NDArray:
    """The label map (height, width) of image `name` in a folder.

    NAME.png (labels), NAME.bin (int16 labels or float32 scores), NAME_blob_0.mat, NAME.mat or NAME.npy
    (scores); a map larger than the image is cut at the right and bottom.
    """
    for ending in (".png", ".bin", "_blob_0.mat", ".mat", ".npy"):
        path = Path(folder) / f"{name}{ending}"
        if path.exists():
            break
    else:
        raise DeepLabError(f"{folder}: no prediction {name}.png, .bin, .mat or .npy")
    if ending == ".png":
        labels = read_label(path)
    elif ending == ".bin" and (values := read_bin(path)).dtype != np.float32:
        labels = values[:, :, 0]
    else:
        labels = metrics.argmax_labels(read_values(path, height, width).transpose(2, 0, 1))
    if labels.shape[0] < height or labels.shape[1] < width:
        shape = f"{labels.shape[0]}x{labels.shape[1]}"
        raise DeepLabError(f"{path}: {shape} labels for an image of {height}x{width}")
    return labels[:height, :width]


def write_confusion(path: str | os.PathLike[str], evaluation: Evaluation, names: Sequence[str]) -> None:
    """Picture (PNG) of the confusion matrix, each row in percent of the class's pixels."""
    sizes = evaluation.counts.sum(axis=1, keepdims=True)
    share = 100 * evaluation.counts / np.maximum(sizes, 1)
    n = evaluation.labels
    figure, axes = _figure(2.5 + 0.45 * n, 1.8 + 0.4 * n)
    picture = axes.imshow(share, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    axes.set_xticks(range(n), names, rotation=60, ha="right")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.5:
            colour = "black" if value > 60 else "white"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=7)
    figure.colorbar(picture, label="% of the class's pixels")
    _save(figure, path)


def write_trimap(path: str | os.PathLike[str], curves: dict[str, Sequence[Band]]) -> None:
    """Picture (PNG) of pixel accuracy and mean IoU over the band's width, a curve for each name."""
    figure, (left, right) = _figure(9, 3.6, columns=2)
    for name, bands in curves.items():
        widths = [band.width for band in bands]
        left.plot(widths, [100 * band.pixel_accuracy for band in bands], marker="o", label=name)
        right.plot(widths, [100 * band.mean_iou for band in bands], marker="o", label=name)
    for axes, title in ((left, "pixel accuracy, %"), (right, "mean IoU, %")):
        axes.set_xlabel("trimap width, pixels")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
    if len(curves) > 1:
        left.legend()
    _save(figure, path)


def _figure(width: float, height: float, columns: int = 1) -> tuple["Figure", Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    from matplotlib import pyplot

    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
    pyplot.close(figure)
