"""Results of bench.net_gpu for people: a table and a bar chart."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..formats.files import replacing


def net_gpu_table(result: dict[str, Any]) -> Table:
    """One row per size, batch and candidate."""
    table = Table(title=f"{result['model']} on {result['machine']['device']}")
    for heading in ("size", "batch", "candidate"):
        table.add_column(heading)
    for heading in ("ms", "images/s", "to torch's best", "error", "TFLOP/s", "done", "memory MB"):
        table.add_column(heading, justify="right")
    for row in result["results"]:
        table.add_row(
            "x".join(map(str, row["size"])),
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
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = result["results"]
    groups = list(dict.fromkeys((tuple(row["size"]), row["batch"]) for row in rows))
    names = list(dict.fromkeys(row["candidate"] for row in rows))
    speed = {(tuple(r["size"]), r["batch"], r["candidate"]): r["images_per_second"] for r in rows}
    figure, axes = pyplot.subplots(figsize=(2 + 3.2 * len(groups), 4.5), layout="constrained")
    width = 0.85 / len(names)
    for i, name in enumerate(names):
        at = [g + (i - (len(names) - 1) / 2) * width for g in range(len(groups))]
        bars = axes.bar(at, [speed[(*group, name)] for group in groups], width, label=name)
        axes.bar_label(bars, fmt="%.0f", fontsize=6)
    axes.set_xticks(range(len(groups)), [f"{h}x{w}, batch {batch}" for (h, w), batch in groups])
    axes.set_ylabel("images a second (median)")
    axes.set_title(f"{result['model']}, {result['machine']['device']}", fontsize=10)
    axes.legend(fontsize=7)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)
