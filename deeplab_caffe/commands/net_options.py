"""What verbs that take a net share: which of its layers count, and what is put into it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DeepLabError
from .options import parse_variables

if TYPE_CHECKING:
    import numpy as np

    from ..formats.net_definition import NetDefinition

Phase = Annotated[str, typer.Option("--phase", help="test or train.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]FILE.npy",
        help="A blob, in place of what the net's own data layers give; repeat it.",
    ),
]


def rules(
    variables: list[str] | None, level: int = 0, stages: list[str] | None = None, dialect: str | None = None
) -> dict[str, Any]:
    """What --set, --level, --stage and --dialect say, as arguments of Net and read_model."""
    given = {"variables": parse_variables(variables)}
    return {**given, "level": level, "stages": stages or [], "dialect": dialect}


def read_with_inputs(
    model: Path, phase: str, rules: dict[str, Any], inputs: list[str] | None
) -> tuple["NetDefinition", dict[str, "np.ndarray"]]:
    """The net, and the arrays of --input by blob name."""
    from ..engine.read_model import read_model

    definition = read_model(model, phase=phase, **rules)
    return definition, read_inputs(inputs or [], definition)


def read_inputs(texts: list[str], definition: "NetDefinition") -> dict[str, "np.ndarray"]:
    """The arrays of --input by blob name; without a name, the net's only input or `data`."""
    import numpy as np

    from ..formats.npy import read_npy

    arrays = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            name, path = next(iter(definition.inputs)) if len(definition.inputs) == 1 else "data", text
        array = read_npy(path)
        if name in arrays:
            raise DeepLabError(f"--input {name}: given twice")
        wanted = definition.inputs.get(name)
        if wanted is not None and array.ndim != len(wanted):
            raise DeepLabError(
                f"--input {path}: {array.ndim} dimensions, '{name}' has {len(wanted)} dimensions"
            )
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite
            arrays[name] = array.astype(np.float32)
    return arrays
