"""Benchmark results for people: a table and a bar chart of what bench.net measured."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..evaluation import charts
from . import tables


def net_table(result: dict[str, Any]) -> Table:
    """One row per candidate, size and thread count."""
    table = tables.table(
        f"{result['model']} on {result['machine']['cpu']}, {result['machine']['instructions']}",
        ("size", "threads", "candidate"),
        ("seconds", "images/s", "to torch NHWC", "nominal peak", "done peak", "memory MB"),
    )
    for row in result["results"]:
        exact = row["candidate"].startswith("exact")
        table.add_row(
            tables.size(*row["size"]),
            str(row["threads"]),
            row["candidate"],
            f"{row['median']:.3f}",
            f"{1 / row['median']:.2f}",
            f"{row['ratio']:.2f}x",
            f"{row['nominal_share']:.0%}" if "bf16" not in row["candidate"] else "",
            f"{row['done_share']:.0%}" if exact else "",
            f"{row['memory'] / 1e6:.0f}",
        )
    return table


def net_chart(result: dict[str, Any], path: Path) -> None:
    """Bars of seconds per image, one group for each size and thread count; written as PNG."""
    rows = result["results"]
    groups = list(dict.fromkeys((*row["size"], row["threads"]) for row in rows))
    seconds = {((*row["size"], row["threads"]), row["candidate"]): row["median"] for row in rows}
    names = dict.fromkeys(row["candidate"] for row in rows)
    figure, (axes,) = charts.figure(1.5 + 2.6 * len(groups), 4)
    charts.draw_bars(
        axes,
        [f"{tables.size(*size)}, {count} thread{'s' * (count > 1)}" for *size, count in groups],
        {name: [seconds[group, name] for group in groups] for name in names},
        "%.2f",
    )
    axes.set_ylabel("seconds per image (median)")
    axes.set_title(f"{result['model']}, {result['machine']['cpu']}", fontsize=10)
    axes.legend(fontsize=8)
    charts.save(figure, path)
