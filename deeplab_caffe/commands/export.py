"""`deeplab-caffe export`: a net as a PyTorch module, and in the formats of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DeepLabError
from . import net_options, options
from .options import verb

if TYPE_CHECKING:
    from ..export.check import Result


@verb("export")
def export(
    model: options.Model,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="For the files.")],
    to: Annotated[
        list[str],
        typer.Option(
            help="torch (net.py, net.pt), safetensors (net.py, net.safetensors), torchscript, pt2, onnx, "
            "npz, hdf5, caffemodel, or all; several with commas."
        ),
    ],
    weights: options.Weights = None,
    random: Annotated[
        bool, typer.Option("--random-weights", help="In place of --weights: to see what the net becomes.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Of the first check; default: the net's own.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option(metavar="BLOB", help="End the net at this blob; repeat it.")
    ] = None,
    without_crf: Annotated[
        bool, typer.Option("--without-crf", help="End the net at the scores that its DenseCRF reads.")
    ] = False,
    fold: Annotated[
        bool, typer.Option("--fold", help="Batch normalisation into the convolutions in front of it.")
    ] = False,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
    threads: options.Threads = None,
) -> int | None:
    """Export a net to PyTorch, TorchScript, torch.export, ONNX or plain weights.

    What is written is run, each in a process of its own and at two sizes, and compared with the exact net:
    the table of errors is printed and in export.json. An error of more than 1e-5 of the largest score, or
    another label where the net is sure, is a failure: exit code 1.
    """
    from ..engine.net import Net
    from ..engine.random_weights import random_weights
    from ..engine.read_model import read_model
    from ..engine.weights import check_given
    from ..export.export import SOURCE
    from ..export.export import export as run
    from ..export.prepared import standalone
    from ..export.targets import TARGETS
    from .shape_options import parse_size

    targets = _targets(to, list(TARGETS))
    plane = parse_size(size)
    definition = read_model(model, **net_options.rules(variables, level, stages, dialect))
    definition, remarks = standalone(definition, plane, without_crf)
    net = Net(definition, threads=threads)
    layers = net.layers_for(tuple(outputs)) if outputs else net.layers
    check_given(layers, weights, random, net.definition.source)
    if weights is not None:
        net.fill(weights, layers)
    if fold and {"caffemodel", "hdf5"} & set(targets):
        raise DeepLabError("--fold: not for caffemodel and hdf5, where the verb fold does it")
    if random:
        random_weights(net)
    if plane is not None:
        images = {name: shape for name, shape in net.inputs.items() if len(shape) == 4}
        first = next((shape[2:] for shape in images.values()), ())
        shapes = {name: (*s[:2], *plane) for name, s in images.items() if s[2:] == first}
        net.reshape(**shapes)
    console = options.console()
    for remark in remarks:
        console.print(remark, markup=False, soft_wrap=True)
    with console.status("") as status:
        prepared, results = run(
            net, targets, output, outputs or (), fold, begin=lambda what: status.update(what)
        )
    lines = prepared.source.count("\n")
    options.write_json(output / "export.json", _summary(net.definition.name, lines, results))
    _print(results)
    if any(TARGETS[name].with_source for name in targets):
        print(f"{output / SOURCE}: {lines} lines, {prepared.program.name}")
    for name in targets:
        if (output / TARGETS[name].file).exists():
            print(f"{output / TARGETS[name].file}")
    failed = [result for result in results if not result.passed]
    for result in failed:
        where = ", ".join(filter(None, (result.target, result.input, result.output)))
        reason = result.reason or f"error {result.error}, labels changed where sure: {result.sure}"
        console.print(f"failed: {where}: {reason}", style="red", markup=False, soft_wrap=True)
    return 1 if failed else None


def _targets(given: list[str], known: list[str]) -> list[str]:
    names = [name for text in given for name in text.split(",")]
    for name in names:
        if name not in (*known, "all"):
            raise DeepLabError(f"--to {name}: one of {', '.join(known)} or all wanted")
    return known if "all" in names else list(dict.fromkeys(names))


def _summary(name: str, lines: int, results: "list[Result]") -> dict[str, Any]:
    from ..export.check import TOLERANCE

    return {
        "net": name,
        "lines": lines,
        "tolerance": TOLERANCE,
        "passed": all(result.passed for result in results),
        "checks": [result.json() for result in results],
    }


def _print(results: "list[Result]") -> None:
    from rich.table import Table

    table = Table()
    for heading in ("target", "input", "output"):
        table.add_column(heading)
    for heading in ("error / largest", "labels changed", "where sure", ""):
        table.add_column(heading, justify="right")
    for result in results:
        error = "" if result.error is None else f"{result.error:.1e}"
        row = [result.target, result.input, result.output, error, str(result.labels), str(result.sure)]
        table.add_row(*row, "ok" if result.passed else "FAILED")
    options.print_table(table)
