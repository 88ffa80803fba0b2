"""Results of bench.conv for people and spreadsheets: a table, bar charts, CSV."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from ..formats.files import replacing
from . import tables
from .conv_shapes import FIELDS

# What a CSV file has beside the time; ratio: the time of the class's fastest torch over this one's.
_NUMBERS = "ratio", "error", "needed_tflops", "nominal_tflops", "bytes_per_second"


def _pairs(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each of our entries with the fastest of torch's for the same case and class."""
    key = "layer", "size", "batch", "class"  # size: of the image, None for shapes without one
    fastest: dict[tuple, dict[str, Any]] = {}
    for row in result["results"]:
        if row["candidate"].startswith("torch"):
            case = tuple(row[name] for name in key)
            if case not in fastest or row["median"] < fastest[case]["median"]:
                fastest[case] = row
    for row in result["results"]:
        if row["candidate"].startswith("ours"):
            yield row, fastest[tuple(row[name] for name in key)]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def conv_table(result: dict[str, Any]) -> Table:
    """One row per layer (or shape), image size, batch and precision of ours."""
    table = tables.table(
        f"convolutions on {tables.machine(result)}",
        ("layer", "image", "map", "batch", "precision"),
        ("ms", "TFLOP/s", "needed", "nominal", "GB/s", "error", "torch ms", "torch error", "ratio"),
    )
    table.add_column("torch's fastest")
    table.caption = (
        "image: what the net reads; map: what this layer of it convolves. needed, nominal: share of the "
        "peak, without and with the taps in the padding. ratio: torch's shortest time over ours."
    )
    for ours, peer in _pairs(result):
        table.add_row(
            ours["layer"],
            tables.size(ours["size"], ours["size"]) if ours["size"] else "",
            tables.size(*ours["map"]),
            str(ours["batch"]),
            ours["candidate"].removeprefix("ours "),
            f"{1e3 * ours['median']:.3f}",
            f"{ours['needed_tflops']:.3g}",
            _share(ours["needed_share"]),
            _share(ours["nominal_share"]),
            f"{1e-9 * ours['bytes_per_second']:.3g}",
            f"{ours['error']:.1e}",
            f"{1e3 * peer['median']:.3f}",
            f"{peer['error']:.1e}",
            f"{ours['ratio']:.2f}x",
            peer["candidate"].removeprefix("torch "),
        )
    return table


def conv_chart(result: dict[str, Any], path: Path) -> None:
    """How many times faster than torch's fastest each layer is, a panel per image size and batch; a PNG."""
    ours = [row for row, _ in _pairs(result)]
    panels = list(dict.fromkeys(map(_panel, ours)))
    names = list(dict.fromkeys(row["candidate"].removeprefix("ours ") for row in ours))
    count = max(1, len(panels))
    figure, axes = charts.figure(14, 3.6 * count, rows=count)
    for panel, axis in zip(panels, axes, strict=False):
        rows = [row for row in ours if _panel(row) == panel]
        layers = list(dict.fromkeys(row["layer"] for row in rows))
        ratios = {(row["layer"], row["candidate"].removeprefix("ours ")): row["ratio"] for row in rows}
        bars = {name: [ratios.get((layer, name), 0.0) for layer in layers] for name in names}
        charts.draw_bars(axis, layers, bars, "%.2f", rotation=25, ha="right", fontsize=8)
        axis.axhline(1.0, color="black", linewidth=0.8)
        axis.set_ylabel("speed, torch's fastest = 1")
        axis.set_title(panel, fontsize=10)
        axis.legend(fontsize=8, ncols=max(1, len(names)))
    figure.suptitle(f"convolutions, {tables.machine(result)}")
    charts.save(figure, path)


def _panel(row: dict[str, Any]) -> str:
    if row["size"] is None:
        return f"shapes {','.join(FIELDS)} (batch, channels, map, outputs, kernel)"
    return f"images of {tables.size(row['size'], row['size'])}, batch {row['batch']}"


def write_conv_csv(result: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Every candidate, ours and torch's, as CSV with a heading; seconds are medians."""
    text = io.StringIO()
    columns = "layer", "image", "map", "batch", "class", "candidate", "seconds", *_NUMBERS
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    for row in result["results"]:
        place = row["layer"], row["size"], tables.size(*row["map"]), row["batch"], row["class"]
        numbers = ("" if row[name] is None else f"{row[name]:.6g}" for name in ("median", *_NUMBERS))
        rows.writerow([*place, row["candidate"], *numbers])
    with replacing(path) as file:
        file.write(text.getvalue().encode())
