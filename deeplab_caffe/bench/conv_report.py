"""Results of bench.conv for people: a table and bar charts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from . import tables


def _pairs(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each of our entries with the fastest of torch's for the same case and class."""
    key = "layer", "size", "batch", "class"
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
    """One row per layer, size, batch and precision of ours."""
    table = tables.table(
        f"convolutions on {tables.machine(result)}",
        ("layer", "size", "batch", "precision"),
        ("ms", "TFLOP/s", "needed", "nominal", "GB/s", "error", "torch ms", "torch error", "ratio"),
    )
    table.add_column("torch's fastest")
    for ours, peer in _pairs(result):
        table.add_row(
            ours["layer"],
            str(ours["size"]),
            str(ours["batch"]),
            ours["candidate"].removeprefix("ours "),
            f"{1e3 * ours['median']:.3f}",
            f"{ours['needed_tflops']:.2f}",
            _share(ours["needed_share"]),
            _share(ours["nominal_share"]),
            f"{1e-9 * ours['bytes_per_second']:.0f}",
            f"{ours['error']:.1e}",
            f"{1e3 * peer['median']:.3f}",
            f"{peer['error']:.1e}",
            f"{ours['ratio']:.2f}x",
            peer["candidate"].removeprefix("torch "),
        )
    return table


def conv_chart(result: dict[str, Any], path: Path) -> None:
    """How many times faster than torch's fastest each layer is, a panel per size and batch; a PNG."""
    ours = [row for row, _ in _pairs(result)]
    panels = list(dict.fromkeys((row["size"], row["batch"]) for row in ours))
    names = list(dict.fromkeys(row["candidate"].removeprefix("ours ") for row in ours))
    count = max(1, len(panels))
    figure, axes = charts.figure(14, 3.6 * count, rows=count)
    for (size, batch), axis in zip(panels, axes, strict=False):
        rows = [row for row in ours if (row["size"], row["batch"]) == (size, batch)]
        layers = list(dict.fromkeys(row["layer"] for row in rows))
        ratios = {(row["layer"], row["candidate"].removeprefix("ours ")): row["ratio"] for row in rows}
        bars = {name: [ratios.get((layer, name), 0.0) for layer in layers] for name in names}
        charts.draw_bars(axis, layers, bars, rotation=25, ha="right", fontsize=8)
        axis.axhline(1.0, color="black", linewidth=0.8)
        axis.set_ylabel("times torch's fastest")
        axis.set_title(f"{size}x{size}, batch {batch}", fontsize=10)
        axis.legend(fontsize=8, ncols=max(1, len(names)))
    figure.suptitle(f"convolutions, {tables.machine(result)}")
    charts.save(figure, path)
