"""What bench.crf measured, for people: a table and a plot."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..formats.files import replacing


def crf_table(result: dict[str, Any]) -> Table:
    """One row a candidate and size."""
    table = Table(
        title=f"dense CRF, {result['iterations']} iterations, {result['machine']['cpu']}, "
        f"{result['machine']['instructions']}"
    )
    for heading in ("size", "candidate"):
        table.add_column(heading)
    for heading in ("construction s", "inference s", "total s", "to pydensecrf2", "memory MB"):
        table.add_column(heading, justify="right")
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
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, group in zip(axes, ("pixels", "labels"), strict=True):
        rows = result[group]
        for name in dict.fromkeys(row["candidate"] for row in rows):
            mine = [row for row in rows if row["candidate"] == name]
            places = [
                row["size"][2] if group == "labels" else row["size"][0] * row["size"][1] / 1000
                for row in mine
            ]
            axis.plot(places, [row["median"] for row in mine], marker="o", label=name)
        sizes = {tuple(row["size"]) for row in rows}
        same = f"{rows[0]['size'][0]} x {rows[0]['size'][1]} pixels" if group == "labels" else ""
        axis.set_title(same or f"{next(iter(sizes))[2]} labels", fontsize=10)
        axis.set_xlabel("labels" if group == "labels" else "thousand pixels")
        axis.set_ylabel("seconds, construction and inference")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.suptitle(f"dense CRF, {result['iterations']} iterations, {result['machine']['cpu']}", fontsize=10)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)
