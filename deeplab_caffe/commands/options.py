"""What the verbs share: the application they register with, and options that mean the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, overload

import typer
from typer.core import TyperCommand

from ..errors import DeepLabError
from . import numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.table import Table

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    from ..assets import package_version

    if wanted:
        print(f"deeplab-caffe {package_version()}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Runs the original DeepLab models (Caffe prototxt + caffemodel) bit for bit."""


def find_model(model: Path | None) -> Path | None:
    """The prototxt of an option --model: a file, or a net that ships by its name."""
    from ..assets.models import model_path

    return None if model is None else model_path(model)


Model = Annotated[
    Path,
    typer.Option(
        "--model",
        "-m",
        metavar="PROTOTXT|NAME",
        callback=find_model,
        help="The net: a file, or one that ships by its name (`deeplab-caffe models` lists them).",
    ),
]


def find_weights(weights: Path | None) -> Path | None:
    """The file of an option --weights: the name of a net whose weights ship stands for those."""
    from ..assets.models import weights_path

    return None if weights is None else weights_path(weights)


Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        "-w",
        metavar="CAFFEMODEL",
        callback=find_weights,
        help="Its parameters; `camvid_largefov` are those that ship.",
    ),
]
RandomWeights = Annotated[
    bool,
    typer.Option("--random-weights", help="Without --weights: let the parameters start from their fillers."),
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value for ${NAME} in the prototxt; repeat it."),
]
Level = Annotated[
    int, typer.Option("--level", min=-(2**31), max=2**31 - 1, help="Level of the rules include and exclude.")
]
Stages = Annotated[
    list[str] | None,
    typer.Option("--stage", metavar="NAME", help="A stage of the rules include and exclude; repeat it."),
]
Dialect = Annotated[
    str | None,
    typer.Option(
        "--dialect",
        metavar="v1|v2",
        help="What layers mean in V1 text: v1 DeepLab v1's, v2 BVLC Caffe's; default: by the file's fields.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option("--size", metavar="HxW", help="Of images and maps from outside; default: the net's own."),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="BLOB=1x3x500x500",
        help="Of an input, of what a data layer gives, or a layer that cannot run here; repeat it.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", min=1, help="Refuse larger images; default: 50 million."),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:NUMBER.")]
Precision = Annotated[
    str,
    typer.Option(
        "--precision", help="exact (the original's bits), fp32 or bf16 (fastest); with cuda tf32, fp16, too."
    ),
]
WeightMemory = Annotated[
    str | None,
    typer.Option(
        "--weight-memory",
        metavar="SIZE",
        help="Memory for weights, in bytes or as 64M, 1G; the others are read from the caffemodel in each "
        "forward. Default: all are in memory.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, callback=numbers.threads, help="CPU threads; default: torch's own."),
]


def permit_python_layers(allowed: bool) -> bool:
    """What the option --allow-python-layers does, in this process."""
    if allowed:
        from ..layers.parts.permission import allow_python_layers

        allow_python_layers()
    return allowed


AllowPythonLayers = Annotated[
    bool,
    typer.Option(
        "--allow-python-layers",
        callback=permit_python_layers,
        help="Let layers of type Python run their code, from modules in PYTHONPATH.",
    ),
]

_VERBS: dict[str, Callable[..., Any]] = {}


# Hands every word behind the verb to its only argument, options and --help as well.
_PLAIN: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"ignore_unknown_options": True, "help_option_names": []},
}


def verb(
    name: str, into: typer.Typer = app, plain: bool = False, cls: type[TyperCommand] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Function decorator: the function is the verb `name`; its docstring is the help text.

    The function returns None or its exit code. plain: it reads its command line itself, from a list of words.
    cls: of typer's command.
    """

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        key = name if into is app else f"{into.info.name} {name}"
        if key in _VERBS:
            raise ValueError(
                f"verb {key} is registered twice: {_VERBS[key].__module__}, {function.__module__}"
            )
        _VERBS[key] = function
        return into.command(name, cls=cls, **_PLAIN if plain else {})(function)

    return add


def group(name: str, help_text: str) -> typer.Typer:
    """A verb that has verbs of its own (`bench net`): give it to `verb` as `into`."""
    child = typer.Typer(name=name, help=help_text, no_args_is_help=True)
    app.add_typer(child)
    return child


def parse_variables(pairs: list[str] | None) -> dict[str, str]:
    """["NAME=VALUE", ...] of --set as a dictionary; DeepLabError for anything else."""
    variables = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise DeepLabError(f"--set {pair}: NAME=VALUE wanted")
        variables[name] = value
    return variables


@overload
def parse_bytes(text: str, option: str) -> int: ...
@overload
def parse_bytes(text: str | None, option: str) -> int | None: ...
def parse_bytes(text: str | None, option: str) -> int | None:
    """ "64M" as 67108864: a number of bytes, or of K, M or G, powers of 1024; None stays None."""
    if text is None:
        return None
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in ("K", "M", "G") else (text, "")
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise DeepLabError(f"{option} {text}: a number of bytes wanted, such as 500K, 64M or 1G")
    return int(number) << {"": 0, "K": 10, "M": 20, "G": 30}[unit]


def console() -> "Console":
    """Where progress and remarks go: stderr, so that stdout holds results only."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_table(table: "Table") -> None:
    """Prints a result on stdout, as wide as the terminal, or as wide as it needs to be in a file or pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)


def progress(console: "Console", *more: "ProgressColumn") -> "Progress":
    """The progress bar of every verb that works through a list; more: columns behind it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        *more,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON, whole or not at all."""
    import json

    from ..formats.files import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write((json.dumps(value, indent=1) + "\n").encode())


def write_npy(path: Path, array: "ArrayLike") -> None:
    """Writes an array as .npy, whole or not at all."""
    from ..formats import npy

    path.parent.mkdir(parents=True, exist_ok=True)
    npy.write_npy(path, array)
