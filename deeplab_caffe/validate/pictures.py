"""Pictures of a report: maps of where blobs differ, label maps and channels, ours beside theirs."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..evaluation import charts
from ..images.palettes import palette
from ..types import Bytes
from .grid import Grid
from .results import Picture

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
CHANGED, SAME = (214, 69, 0), (236, 236, 236)


@dataclass(frozen=True)
class Shown:
    """uri: the picture itself, as a PNG within the page."""

    uri: str
    caption: str


def where(grid: Grid) -> Shown:
    """The map of the largest distances, in powers of two of ulps."""
    lengths = grid.array()
    most = int(lengths.max(initial=1))
    cell = f"{grid.step} × {grid.step} pixels" if grid.step > 1 else "a pixel"
    caption = f"largest distance of {cell}; pale: equal, dark: {_bin(most)} ulp"
    return Shown(_png(charts.colours(lengths, 0, most, "YlOrRd")), caption)


def triple(picture: Picture) -> list[Shown]:
    """Theirs, ours and the difference."""
    theirs, ours = picture.theirs.array(), picture.ours.array()
    if picture.kind == "labels":
        colours = palette("voc").colours
        changed = theirs != ours
        mask = np.where(changed[..., None], CHANGED, SAME)
        return [
            Shown(_png(colours[np.asarray(theirs, np.uint8)]), "theirs"),
            Shown(_png(colours[np.asarray(ours, np.uint8)]), "ours"),
            Shown(_png(mask.astype(np.uint8)), "other labels" if changed.any() else "no label differs here"),
        ]
    both = np.stack([theirs, ours])
    finite = both[np.isfinite(both)]
    # Of all but the outermost values, which would leave the others no colours.
    low, high = map(float, np.percentile(finite, (1, 99))) if finite.size else (0.0, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = ours.astype(np.float64) - theirs.astype(np.float64)
    largest = _largest(difference)
    return [
        Shown(_png(charts.colours(theirs, low, high, "viridis")), f"theirs, channel {picture.channel}"),
        Shown(_png(charts.colours(ours, low, high, "viridis")), f"ours, {low:.3g} to {high:.3g}"),
        Shown(
            _png(charts.colours(difference, -largest, largest, "RdBu_r")),
            f"ours − theirs, blue −{largest:.2g} to red {largest:.2g}",
        ),
    ]


def histogram(counts: list[int]) -> str:
    """How many values are how far apart, as an SVG element."""
    figure, (axes,) = charts.figure(4.6, 2.1)
    charts.draw_counts(axes, [_bin(k) for k in range(len(counts))], counts)
    axes.set_xlabel("ulp apart", fontsize=8)
    axes.set_ylabel("values", fontsize=8)
    return charts.inline_svg(figure)


def overview(histograms: list[list[int]]) -> str:
    """The histograms of all blobs as columns, as an SVG element; empty: a blob that has none."""
    bins = max(map(len, histograms))
    share = np.zeros((bins, len(histograms)))
    for column, counts in enumerate(histograms):
        share[: len(counts), column] = np.array(counts) / max(1, sum(counts))
    with np.errstate(divide="ignore"):
        logarithm = np.where(share > 0, np.log10(share), np.nan)
    figure, (axes,) = charts.figure(8.5, 0.9 + 0.14 * bins)
    cells = charts.draw_heat_map(axes, logarithm[::-1], -6, 0, "", least=np.inf)
    step = -(-bins // 12)
    axes.set_yticks([bins - 1 - k for k in range(0, bins, step)], [_bin(k) for k in range(0, bins, step)])
    axes.tick_params(labelsize=7)
    axes.set_xlabel("blob, by its number below", fontsize=8)
    axes.set_ylabel("ulp apart", fontsize=8)
    bar = figure.colorbar(cells, ticks=[-6, -4, -2, 0])
    bar.ax.set_yticklabels(["1 in a million", "1 in 10,000", "1 %", "all"], fontsize=7)
    return charts.inline_svg(figure)


def _bin(k: int) -> str:
    """The distances that number k of a histogram counts."""
    if k < 2:
        return str(k)
    first, last = 2 ** (k - 1), 2**k - 1
    return f"{first}–{last}" if last < 1000 else "≥ 2" + str(k - 1).translate(_SUPERSCRIPT)


def _largest(difference: NDArray) -> float:
    finite = np.abs(difference[np.isfinite(difference)])
    return float(finite.max(initial=0.0)) or 1.0


def _png(rgb: Bytes) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb, np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
