"""What bench.crf measured, for people: a table and a plot."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from . import tables


def crf_table(result: dict[str, Any]) -> Table:
    """One row a candidate and size."""
    table = tables.table(
        f"dense CRF, {result['iterations']} iterations, {result['machine']['cpu']}, "
        f"{result['machine']['instructions']}",
        ("size", "candidate"),
        ("construction s", "inference s", "total s", "to pydensecrf2", "memory MB"),
    )
    for row in result["results"]:
        table.add_row(
            "x".join(map(str, row["size"])),
            row["candidate"],
            f"{row['construction']:.3f}",
            f"{row['inference']:.3f}",
            f"{row['median']:.3f}",
            f"{row['ratio']:.2f}x" if "ratio" in row else "",
            f"{row['memory'] / 1e6:.0f}",
        )
    return table


def crf_chart(result: dict[str, Any], path: Path) -> None:
    """Seconds by pixels and by labels, a line a candidate; written as PNG."""
    figure, axes = charts.figure(10, 4, columns=2)
    for axis, group in zip(axes, ("pixels", "labels"), strict=True):
        rows = result[group]
        lines = {}
        for name in dict.fromkeys(row["candidate"] for row in rows):
            own = [row for row in rows if row["candidate"] == name]
            sizes = [row["size"] for row in own]
            places = [n if group == "labels" else height * width / 1000 for height, width, n in sizes]
            lines[name] = places, [row["median"] for row in own]
        height, width, n = rows[0]["size"]
        title = f"{height} x {width} pixels" if group == "labels" else f"{n} labels"
        x = "labels" if group == "labels" else "thousand pixels"
        charts.draw_lines(axis, lines, x, "seconds, construction and inference", title)
        axis.set_ylim(bottom=0)
    axes[0].legend(fontsize=8)
    figure.suptitle(f"dense CRF, {result['iterations']} iterations, {result['machine']['cpu']}", fontsize=10)
    charts.save(figure, path)
