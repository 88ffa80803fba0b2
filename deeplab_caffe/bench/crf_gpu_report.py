"""What bench.crf_gpu measured, for people: a table and a plot."""

from pathlib import Path
from typing import Any

from rich.table import Table

from ..formats.files import replacing


def crf_gpu_table(result: dict[str, Any]) -> Table:
    """One row a case; times are milliseconds an image."""
    about = result["machine"]
    table = Table(
        title=f"dense CRF, {result['iterations']} iterations, {about.get('device', about['cpu'])}, "
        "milliseconds an image"
    )
    for heading in ("size", "labels", "batch", "image"):
        table.add_column(heading)
    for heading in ("construction", "inference", "as a graph", "total", "vertices", "MB", "CPU's bits"):
        table.add_column(heading, justify="right")
    for row in result["results"] + result["flatness"]:
        height, width, labels, batch, kind = row["size"]
        times = (row[name] for name in ("construction", "inference", "captured", "median"))
        table.add_row(
            f"{height}x{width}",
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
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axis, group in zip(axes, ("pixels", "labels", "flatness"), strict=True):
        rows = result[group]
        places: list[Any] = {
            "pixels": [row["size"][0] * row["size"][1] / 1000 for row in rows],
            "labels": [row["size"][2] for row in rows],
            "flatness": [row["size"][4] for row in rows],
        }[group]
        for phase, label in (
            ("median", "total"),
            ("construction", "construction"),
            ("captured", "inference"),
        ):
            heights = [1e3 * row[phase] / row["size"][3] for row in rows]
            axis.plot(places, heights, marker="o", label=label)
        height, width, labels = rows[0]["size"][:3]
        fixed = f"{labels} labels" if group == "pixels" else f"{height} x {width} pixels"
        axis.set_title(fixed + (f", {labels} labels" if group == "flatness" else ""), fontsize=10)
        axis.set_xlabel({"pixels": "thousand pixels", "labels": "labels", "flatness": "image"}[group])
        axis.set_ylabel("ms an image")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    about = result["machine"]
    figure.suptitle(
        f"dense CRF, {result['iterations']} iterations, {about.get('device', about['cpu'])}", fontsize=10
    )
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)
