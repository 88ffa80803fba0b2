"""Pictures: of an evaluation, and the parts that all pictures of the package are drawn with.

The only module that imports matplotlib: figures of their own, so that the state of pyplot stays the user's.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..formats.files import replacing
from .evaluation import Band, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[Sequence[Any], Sequence[float]]  # x, y


def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", list["Axes"]]:
    """A figure of that many inches and its axes, row by row."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(width, height), layout="constrained")
    return result, list(result.subplots(rows, columns, squeeze=False).flat)


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Writes the figure as PNG, whole or not at all."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def draw_lines(axes: "Axes", lines: Mapping[str, Points], x: str, y: str, title: str = "") -> None:
    """A marked line for each name; x, y: the axes' titles."""
    for name, points in lines.items():
        axes.plot(*points, marker="o", label=name)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)


def draw_bars(
    axes: "Axes",
    groups: Sequence[str],
    bars: Mapping[str, Sequence[float]],
    label: str = "",
    **ticks: Any,
) -> None:
    """For each group one bar a name, side by side.

    label: how the values are written above them ("%.2f"); ticks: how the groups' names look.
    """
    width = 0.85 / max(1, len(bars))
    for number, (name, heights) in enumerate(bars.items()):
        shift = (number - (len(bars) - 1) / 2) * width
        drawn = axes.bar([group + shift for group in range(len(groups))], heights, width, label=name)
        if label:
            axes.bar_label(drawn, fmt=label, fontsize=6)
    axes.set_xticks(range(len(groups)), groups, **ticks)


def draw_heat_map(
    axes: "Axes", values: NDArray[Any], low: float, high: float, text: str, least: float = -np.inf
) -> Any:
    """Cells coloured from `low` to `high`, values from `least` on written into them; for the colour bar."""
    picture = axes.imshow(values, vmin=low, vmax=high, cmap="viridis", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not value < least:
            colour = "black" if value > low + 0.6 * (high - low) else "white"
            axes.text(column, row, text % value, ha="center", va="center", color=colour, fontsize=7)
    return picture


def write_confusion(path: str | os.PathLike[str], evaluation: Evaluation, names: Sequence[str]) -> None:
    """Picture (PNG) of the confusion matrix, each row in percent of the class's pixels."""
    sizes = evaluation.counts.sum(axis=1, keepdims=True)
    share = 100 * evaluation.counts / np.maximum(sizes, 1)
    n = evaluation.num_classes
    picture, (axes,) = figure(2.5 + 0.45 * n, 1.8 + 0.4 * n)
    cells = draw_heat_map(axes, share, 0, 100, "%.0f", least=0.5)
    axes.set_xticks(range(n), names, rotation=60, ha="right")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    picture.colorbar(cells, label="% of the class's pixels")
    save(picture, path)


def write_trimap(path: str | os.PathLike[str], curves: dict[str, Sequence[Band]]) -> None:
    """Picture (PNG) of pixel accuracy and mean IoU over the band's width, a curve for each name."""
    picture, both = figure(9, 3.6, columns=2)
    for axes, title, measure in (
        (both[0], "pixel accuracy, %", "pixel_accuracy"),
        (both[1], "mean IoU, %", "mean_iou"),
    ):
        lines = {
            name: ([band.width for band in bands], [100 * getattr(band, measure) for band in bands])
            for name, bands in curves.items()
        }
        draw_lines(axes, lines, "trimap width, pixels", title)
    if len(curves) > 1:
        both[0].legend()
    save(picture, path)
