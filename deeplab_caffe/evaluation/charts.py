"""Pictures: of an evaluation, and the parts that all pictures of the package are drawn with.

The only module that imports matplotlib: figures of their own, so that the state of pyplot stays the user's.
"""

import io
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..formats.files import replacing
from ..types import Bytes, Doubles
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


def inline_svg(figure: "Figure") -> str:
    """The figure as an SVG element for a page: black is the page's ink there, the background the page's."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "deeplab_caffe"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL
    )
    # Text has no colour of its own, it takes the element's.
    return text.replace("#000000", "currentColor").replace(
        "<svg ", '<svg class="chart" fill="currentColor" ', 1
    )


def colours(values: NDArray[Any], low: float, high: float, name: str) -> Bytes:
    """RGB bytes (..., 3) of matplotlib's colour map of that name, from `low` to `high`; NaN is black."""
    from matplotlib import colormaps

    place = (np.asarray(values, np.float64) - low) / ((high - low) or 1.0)
    rgb = colormaps[name](np.nan_to_num(place, posinf=1.0, neginf=0.0), bytes=True)[..., :3]
    rgb[np.isnan(place)] = 0
    return rgb


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


def draw_counts(axes: "Axes", names: Sequence[str], counts: Sequence[int]) -> None:
    """A histogram with a logarithmic height; only some of the names are written below it.

    Drawn as one outline with plain ticks: a page may hold many, and a logarithmic axis takes half a second.
    """
    with np.errstate(divide="ignore"):
        heights = np.maximum(-0.3, np.log10(np.asarray(counts, np.float64)))
    axes.stairs(heights, np.arange(len(counts) + 1) - 0.5, baseline=-0.3, fill=True)
    every = -(-len(names) // 7)
    axes.set_xticks(range(0, len(names), every), names[::every], fontsize=7)
    ticks = {0: "1", 2: "100", 4: "10,000", 6: "1 million", 8: "100 million", 10: "10 billion"}
    shown = [tick for tick in ticks if tick <= max(2, heights.max(initial=0) + 1)]
    axes.set_yticks(shown, [ticks[tick] for tick in shown], fontsize=7)


def draw_heat_map(
    axes: "Axes", values: NDArray[Any], low: float, high: float, text: str, least: float = -np.inf
) -> Any:
    """Cells coloured from `low` to `high`, values from `least` on written into them; for the colour bar.

    NaN is left blank.
    """
    picture = axes.imshow(values, vmin=low, vmax=high, cmap="viridis", aspect="auto")
    for row, column in np.argwhere(values >= least):
        value = values[row, column]
        colour = "black" if value > low + 0.6 * (high - low) else "white"
        axes.text(column, row, text % value, ha="center", va="center", color=colour, fontsize=7)
    return picture


def draw_boxes(
    boxes: Mapping[str, tuple[Sequence[float], str, str]], arrows: Sequence[tuple[str, str, str]], format: str
) -> bytes:
    """Boxes with arrows between them as a file of that format.

    boxes: for each name (centre x, centre y, width, height) in inches, y down, its text and its colour.
    arrows: from, to, what is written at it; one that leads up or to the left is bent.
    """
    from matplotlib.patches import FancyArrowPatch, Rectangle

    width, height = (
        max((place[axis] + place[axis + 2] / 2 for place, _, _ in boxes.values()), default=0) + 0.2
        for axis in (0, 1)
    )
    picture, (axes,) = figure(width + 0.2, height + 0.2)
    picture.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.2, width)
    axes.set_ylim(height, -0.2)
    for (x, y, wide, high), text, colour in boxes.values():
        axes.add_patch(Rectangle((x - wide / 2, y - high / 2), wide, high, facecolor=colour, edgecolor="k"))
        axes.text(x, y, text, fontsize=7, family="monospace", ha="center", va="center", parse_math=False)
    straight = []
    for source, target, text in arrows:
        start, end, forward = _ends(boxes[source][0], boxes[target][0])
        if forward:
            straight.append((*start, *(end - start)))
        else:
            bent: Any = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=0.3", "mutation_scale": 8}
            ends: Any = (start, end)
            axes.add_patch(FancyArrowPatch(*ends, zorder=0.5, shrinkA=0, shrinkB=0, fc="k", **bent))
        if text:
            x, y = (start + end) / 2
            axes.text(x, y, text, fontsize=6, ha="center", va="center", parse_math=False)
    if straight:
        in_inches: Any = {"angles": "xy", "scale_units": "xy", "scale": 1, "units": "inches", "width": 0.008}
        head: Any = {"headwidth": 8, "headlength": 10, "headaxislength": 10}
        axes.quiver(*np.transpose(straight), zorder=0.5, **head, **in_inches)
    buffer = io.BytesIO()
    # The renderer takes no more than 65,536 pixels a side.
    picture.savefig(buffer, format=format, dpi=min(100, 60_000 / max(picture.get_size_inches())))
    return buffer.getvalue()


def _ends(source: Sequence[float], target: Sequence[float]) -> tuple[Doubles, Doubles, bool]:
    """Where an arrow between two boxes starts and ends, on sides that face; does it go down or right?"""
    boxes = np.array([source, target], np.float64)
    way = boxes[1, :2] - boxes[0, :2]
    axis = int(np.argmax(np.abs(way) - boxes[:, 2:].mean(axis=0)))
    side = np.zeros(2)
    side[axis] = np.sign(way[axis]) / 2
    return boxes[0, :2] + side * boxes[0, 2:], boxes[1, :2] - side * boxes[1, 2:], way[axis] >= 0


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
