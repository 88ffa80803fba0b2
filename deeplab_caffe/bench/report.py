"""Benchmark results for people: a table and a bar chart of what bench.net measured."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..formats.files import replacing


def net_table(result: dict[str, Any]) -> Table:
    """One row per candidate, size and thread count."""
    table = Table(
        title=f"{result['model']} on {result['machine']['cpu']}, {result['machine']['instructions']}"
    )
    for heading in ("size", "threads", "candidate"):
        table.add_column(heading)
    for heading in ("seconds", "images/s", "to torch NHWC", "nominal peak", "done peak", "memory MB"):
        table.add_column(heading, justify="right")
    for row in result["results"]:
        exact = row["candidate"].startswith("exact")
        table.add_row(
            "x".join(map(str, row["size"])),
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
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = list(dict.fromkeys((tuple(row["size"]), row["threads"]) for row in result["results"]))
    names = list(dict.fromkeys(row["candidate"] for row in result["results"]))
    figure, axes = pyplot.subplots(figsize=(1.5 + 2.6 * len(groups), 4), layout="constrained")
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        medians = [
            next(
                row["median"]
                for row in result["results"]
                if (tuple(row["size"]), row["threads"], row["candidate"]) == (*group, name)
            )
            for group in groups
        ]
        bars = axes.bar(
            [g + (i - (len(names) - 1) / 2) * width for g in range(len(groups))], medians, width, label=name
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    labels = [f"{size[0]}x{size[1]}, {count} thread{'s' * (count > 1)}" for size, count in groups]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_ylabel("seconds per image (median)")
    axes.set_title(f"{result['model']}, {result['machine']['cpu']}", fontsize=10)
    axes.legend(fontsize=8)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)
