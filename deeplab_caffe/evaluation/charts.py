"""Pictures of an evaluation."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formats.files import replacing
from .evaluation import Band, Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
