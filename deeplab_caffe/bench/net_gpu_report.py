"""Results of bench.net_gpu for people: a table and a bar chart."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from . import tables


def net_gpu_table(result: dict[str, Any]) -> Table:
    """One row per size, batch and candidate."""
    table = tables.table(
        f"{result['model']} on {tables.machine(result)}",
        ("size", "batch", "candidate"),
        ("ms", "images/s", "to torch's best", "error", "TFLOP/s", "done", "memory MB"),
    )
    for row in result["results"]:
        table.add_row(
            tables.size(*row["size"]),
            str(row["batch"]),
            row["candidate"],
            f"{1e3 * row['median']:.3f}",
            f"{row['images_per_second']:.1f}",
            f"{row['ratio']:.2f}x",
            f"{row['error']:.1e}",
            f"{row['nominal_tflops']:.1f}",
            f"{row['done_tflops']:.1f}",
            f"{row['memory'] / 1e6:.0f}",
        )
    return table


def net_gpu_chart(result: dict[str, Any], path: Path) -> None:
    """Bars of images a second, one group for each size and batch; written as PNG."""
    rows = result["results"]
    groups = list(dict.fromkeys((*row["size"], row["batch"]) for row in rows))
    speed = {((*row["size"], row["batch"]), row["candidate"]): row["images_per_second"] for row in rows}
    names = dict.fromkeys(row["candidate"] for row in rows)
    figure, (axes,) = charts.figure(2 + 3.2 * len(groups), 4.5)
    charts.draw_bars(
        axes,
        [f"{tables.size(height, width)}, batch {batch}" for height, width, batch in groups],
        {name: [speed.get((group, name), 0.0) for group in groups] for name in names},
        "%.0f",
    )
    axes.set_ylabel("images a second (median)")
    axes.set_title(f"{result['model']}, {tables.machine(result)}", fontsize=10)
    axes.legend(fontsize=7)
    charts.save(figure, path)
