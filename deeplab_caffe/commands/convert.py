"""`deeplab-caffe convert`: weights of TensorFlow and PyTorch programs to prototxt and caffemodel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeepLabError
from . import base, generate
from .base import verb

if TYPE_CHECKING:
    from ..convert.fill import Filled

SUFFIXES = {".npz": "npz", ".pth": "torch", ".pt": "torch", ".safetensors": "torch"}


@verb("convert")
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="TensorFlow checkpoint (its prefix, .index or folder) or frozen graph (.pb), .npz of arrays "
            "by TensorFlow name, PyTorch state dict (.pth, .safetensors).",
        ),
    ],
    backbone: generate.Backbone,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="For deploy.prototxt, weights.caffemodel.")
    ],
    kind: Annotated[
        str | None, typer.Option("--from", help="tf, npz or torch; default: what the file's name tells.")
    ] = None,
    output_stride: generate.OutputStride = 16,
    rates: generate.Rates = None,
    multi_grid: generate.MultiGrid = None,
    decoder: Annotated[int, typer.Option(help="Stride of the decoder: 4, or 0 for none (v3).")] = 0,
    separable: generate.Separable = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes; default: the weights'.")] = None,
    size: generate.Size = "513x513",
    averages: Annotated[
        bool, typer.Option("--averages", help="Take the moving averages of the variables (TensorFlow).")
    ] = False,
    ignore_unused: Annotated[
        bool, typer.Option("--ignore-unused", help="Convert although variables are left over.")
    ] = False,
) -> None:
    """Convert the weights of a DeepLab v3 or v3+ net; the options are those of `generate`.

    A checkpoint does not tell rates, multi-grid and output stride: give those it was trained or exported
    with. All variables have to fit: missing ones, and ones left over that are not an optimizer's, are errors.
    """
    from ..convert.convert import KINDS, class_count
    from ..convert.convert import convert as run

    name = kind or SUFFIXES.get(source.suffix.lower(), "tf")
    if name not in KINDS:
        raise DeepLabError(f"--from {name}: one of {', '.join(KINDS)} wanted")
    variables = KINDS[name].read(str(source))
    classes = classes or class_count(KINDS[name], variables) or 21
    net = generate.deeplab_v3(backbone, output_stride, rates, multi_grid, decoder, separable, classes, size)
    filled = run(str(source), KINDS[name], variables, net.deploy(), output, averages, ignore_unused)
    _report(filled, output)


def _report(filled: "Filled", output: Path) -> None:
    console = base.console()
    for what, names in (("only for training", filled.training), ("left over", filled.unused)):
        if names:
            console.print(f"{what}: {len(names)}: {', '.join(names)}", markup=False, soft_wrap=True)
    print(f"{output}: {filled.used} variables in {len(filled.layers)} layers")
