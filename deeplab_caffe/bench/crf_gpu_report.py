"""What bench.crf_gpu measured, for people: a table and a plot."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from . import tables

PANELS = {"pixels": "thousand pixels", "labels": "labels", "flatness": "image"}
PHASES = {"total": "median", "construction": "construction", "inference": "captured"}


def crf_gpu_table(result: dict[str, Any]) -> Table:
    """One row a case; times are milliseconds an image."""
    table = tables.table(
        f"{_title(result)}, milliseconds an image",
        ("size", "labels", "batch", "image"),
        ("construction", "inference", "as a graph", "total", "vertices", "MB", "CPU's bits"),
    )
    for row in result["results"] + result["flatness"]:
        height, width, labels, batch, kind = row["size"]
        times = (row[name] for name in ("construction", "inference", "captured", "median"))
        table.add_row(
            tables.size(height, width),
            str(labels),
            str(batch),
            kind,
            *(f"{1e3 * seconds / batch:.3f}" for seconds in times),
            str(row["vertices"]),
            f"{row['memory'] / 1e6:.0f}",
            {True: "yes", False: "NO"}.get(row.get("same_bits"), ""),
        )
    return table


def crf_gpu_chart(result: dict[str, Any], path: Path) -> None:
    """Milliseconds an image by pixels, by labels and by the image's flatness; written as PNG."""
    figure, axes = charts.figure(13, 4, columns=3)
    for axis, (group, x) in zip(axes, PANELS.items(), strict=True):
        rows = result[group]
        if not rows:  # no time was left for them
            continue
        places: list[Any] = {
            "pixels": [row["size"][0] * row["size"][1] / 1000 for row in rows],
            "labels": [row["size"][2] for row in rows],
            "flatness": [row["size"][4] for row in rows],
        }[group]
        lines = {
            label: (places, [1e3 * row[phase] / row["size"][3] for row in rows])
            for label, phase in PHASES.items()
        }
        height, width, labels = rows[0]["size"][:3]
        fixed = f"{labels} labels" if group == "pixels" else f"{height} x {width} pixels"
        title = fixed + (f", {labels} labels" if group == "flatness" else "")
        charts.draw_lines(axis, lines, x, "ms an image", title)
        axis.set_ylim(bottom=0)
    if result["pixels"]:
        axes[0].legend(fontsize=8)
    figure.suptitle(_title(result), fontsize=10)
    charts.save(figure, path)


def _title(result: dict[str, Any]) -> str:
    return f"dense CRF, {result['iterations']} iterations, {tables.machine(result)}"
