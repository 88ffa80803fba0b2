"""`deeplab-caffe diff`: two nets, or two files of weights, layer by layer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DeepLabError
from . import net_options, options
from .options import verb

if TYPE_CHECKING:
    from ..validate.diff_nets import NetDiff
    from ..validate.diff_weights import WeightsDiff

_DIFFERENT = 1  # exit code
_NETS = (".prototxt", ".pbtxt", ".txt")


@verb("diff")
def diff(
    first: Annotated[
        Path, typer.Argument(metavar="FIRST", help="A net (prototxt, or one that ships), or weights.")
    ],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Another of the same kind.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    phase: net_options.Phase = "test",
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
) -> int:
    """Tell what differs between two nets (fields, shapes) or two files of weights (shapes, bits, ulps).

    Weights may be in any format: caffemodel, HDF5, .npz, PyTorch's, TensorFlow's. Exit code 0: the same, 1:
    not, 2: an error.
    """
    import json

    nets = [_is_net(path) for path in (first, second)]
    if nets[0] != nets[1]:
        raise DeepLabError(f"{first}, {second}: a net and weights; two of a kind wanted")
    rules = net_options.rules(variables, level, stages, dialect)
    result = _nets(first, second, phase, rules) if nets[0] else _weights(first, second)
    if as_json:
        print(json.dumps(result.to_json(), indent=1))
    elif nets[0]:
        _print_nets(result)  # type: ignore[arg-type]
    else:
        _print_weights(result)  # type: ignore[arg-type]
    return 0 if result.same else _DIFFERENT


def _is_net(path: Path) -> bool:
    """By its name; what is no file is the name of a net that ships."""
    return path.suffix.lower() in _NETS or not path.exists()


def _nets(first: Path, second: Path, phase: str, rules: dict[str, Any]) -> "NetDiff":
    from ..engine.read_model import read_model
    from ..validate.diff_nets import diff_nets

    return diff_nets(*(read_model(path, phase=phase, **rules) for path in (first, second)))


def _weights(first: Path, second: Path) -> "WeightsDiff":
    from ..validate.diff_weights import diff_weights

    return diff_weights(first, second)


def _print_nets(result: "NetDiff") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("layer", "type", "", "field", "first", "second")
    for change in result.inputs:
        table.add_row(escape(change.field), "input", "", "shape", change.first, change.second)
    if result.dialect:
        table.add_row("", "", "", "dialect", result.dialect.first, result.dialect.second)
    shown = [layer for layer in result.layers if layer.change != "reshaped"]
    reshaped = len(result.layers) - len(shown)
    for layer in shown:
        start = escape(layer.name), layer.type, layer.change
        for i, change in enumerate(layer.fields):
            row = (change.field, change.first, change.second)
            table.add_row(*(start if i == 0 else ("", "", "")), *map(escape, row))
        if not layer.fields:
            table.add_row(*start)
    if table.rows:
        options.print_table(table)
    if result.shapes != "known":
        print(f"shapes are not compared: {result.shapes}")
    if reshaped:
        print(f"{reshaped} more layers differ in nothing but shapes, which follow (--json lists them)")
    if result.same:
        print(f"the same: {result.counts[0]} layers")
    else:
        print(f"different: {len(shown)} layers, of {result.counts[0]} and {result.counts[1]}")


def _print_weights(result: "WeightsDiff") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("blob", "status", "shape", "differing values", "largest ulp", "relative error", "largest")
    for blob in result.blobs:
        if blob.status == "equal":
            continue
        shapes = ["x".join(map(str, shape)) for shape in (blob.first, blob.second) if shape]
        row = [escape(blob.name), blob.status, " / ".join(dict.fromkeys(shapes))]
        if blob.numbers is not None:
            n = blob.numbers
            row += [
                f"{n.different:,} of {n.count:,}",
                f"{n.max_ulp:,}",
                f"{n.error:.3g}",
                f"{n.largest_error:.3g}",
            ]
        table.add_row(*row)
    if table.rows:
        options.print_table(table)
    equal = sum(blob.status == "equal" for blob in result.blobs)
    total = len(result.blobs)
    verdict = "the same" if result.same else "different"
    print(f"{verdict}: {equal} of {total} blobs have the same bits ({result.values:,} values compared)")
