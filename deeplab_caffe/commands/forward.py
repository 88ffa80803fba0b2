"""`deeplab-caffe forward`: runs a net once and writes every layer's tops, to compare implementations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import net_options, options
from .numbers import MOST_ITERATIONS
from .options import verb

if TYPE_CHECKING:
    import numpy as np

    from ..engine.net import Net


@verb("forward")
def forward(
    model: options.Model,
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    inputs: net_options.Inputs = None,
    dump: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each layer's tops right after it ran."),
    ] = None,
    iterations: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_ITERATIONS,
            help="How often to run; each has its own folder under --dump if more than 1.",
        ),
    ] = 1,
    phase: net_options.Phase = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print the outputs' statistics as JSON.")] = False,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    weight_memory: options.WeightMemory = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> None:
    """Run a net and tell its outputs; with --dump write all tops as NNN_<layer>__<blob>.npy (float32).

    '/' in names becomes '_'. forward.json beside them lists shape, sha256 of the bytes, mean and largest
    magnitude of each. They are what --precision computes: but for exact, which computes layer by layer, a
    convolution and what follows it are one pass, with one result; the blobs inside have a note instead.
    """
    from ..engine.net import Net
    from ..engine.weights import check_given

    rules = net_options.rules(variables, level, stages, dialect)
    definition, arrays = net_options.read_with_inputs(model, phase, rules, inputs)
    net = Net(
        definition,
        weights,
        phase=phase,
        device=device,
        precision=precision,
        threads=threads,
        inputs={name: array.shape for name, array in arrays.items()},
        weight_memory=options.parse_bytes(weight_memory, "--weight-memory"),
    )
    check_given(net.layers, weights, random_weights, net.definition.source)
    results = []
    with options.progress(options.console()) as bar:
        task = bar.add_task("layers", total=len(net.layers) * iterations)
        for iteration in range(iterations):
            folder = dump / f"{iteration:06d}" if dump and iterations > 1 else dump
            tops: list[dict[str, Any]] = []

            def on_layer(index: int, layer: Any, blobs: dict[str, Any], folder: Path | None = folder) -> None:
                bar.advance(task)  # noqa: B023 - used within the loop only
                if folder is not None:
                    tops.extend(write_tops(folder, index, layer.name, blobs))  # noqa: B023

            outputs = net.forward(on_layer=on_layer, **arrays)
            if folder is not None:
                tops = sorted(tops + without_values(net, tops), key=lambda record: record["index"])
                report = {"model": str(model), "precision": precision, "layers": tops}
                options.write_json(folder / "forward.json", report)
            results.append({name: statistics(tensor.cpu().numpy()) for name, tensor in outputs.items()})
    _print(results, as_json)


def write_tops(folder: Path, index: int, layer: str, blobs: dict[str, Any]) -> list[dict[str, Any]]:
    """Writes one layer's tops; returns their records."""
    records = []
    for name, tensor in blobs.items():
        array = tensor.float().cpu().numpy()
        file = f"{index:03d}_{layer}__{name}.npy".replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        options.write_npy(folder / file, array)
        records.append({"index": index, "layer": layer, "blob": name, **statistics(array), "file": file})
    return records


def without_values(net: "Net", tops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of the tops that never were, because another layer did the work of theirs in its own pass."""
    seen = {record["index"] for record in tops}
    note = f"not written: {net.context.precision} computes several layers in one pass, with one result"
    return [
        {"index": index, "layer": layer.name, "blob": name, "note": note}
        for index, layer in enumerate(net.layers)
        if index not in seen
        for name in layer.definition.tops
    ]


def statistics(array: "np.ndarray") -> dict[str, Any]:
    """Shape, sha256 of the float32 C-order bytes, mean, largest magnitude; few values are given in full."""
    import hashlib

    import numpy as np

    array = np.ascontiguousarray(array, np.float32)
    record: dict[str, Any] = {
        "shape": list(array.shape),
        "sha256": hashlib.sha256(array.data).hexdigest(),
        "mean": float(array.mean(dtype=np.float64)) if array.size else 0.0,
        "absmax": float(np.maximum(array.max(), -array.min())) if array.size else 0.0,
    }
    if array.size <= 8:
        record["values"] = array.ravel().tolist()
    return record


def _print(results: list[dict[str, Any]], as_json: bool) -> None:
    import json

    from rich.table import Table

    if as_json:
        print(json.dumps(results, indent=1))
        return
    table = Table("run", "output", "shape", "mean", "largest", "sha256")
    for run, outputs in enumerate(results):
        for name, record in outputs.items():
            shape = "x".join(map(str, record["shape"]))
            mean, largest = f"{record['mean']:.6g}", f"{record['absmax']:.6g}"
            table.add_row(str(run), name, shape, mean, largest, record["sha256"][:16])
    options.print_table(table)
