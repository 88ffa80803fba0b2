"""`deeplab-caffe convert`: weights of TensorFlow and PyTorch programs to prototxt and caffemodel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeepLabError
from . import generate, options
from .options import verb

if TYPE_CHECKING:
    from ..convert.fill import Filled


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
    backbone: Annotated[
        str,
        typer.Option(
            help="resnet_v1_50_beta, resnet_v1_101_beta, xception_41, xception_65, xception_71, "
            "mobilenet_v2; of PyTorch weights resnet50, resnet101, mobilenet_v3_large."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="For deploy.prototxt, weights.caffemodel.")
    ],
    kind: Annotated[
        str | None, typer.Option("--from", help="tf, npz or torch; default: what the file itself tells.")
    ] = None,
    output_stride: Annotated[
        int | None, typer.Option(help="Of the features; default: 16, torchvision's ResNets 8.")
    ] = None,
    rates: generate.Rates = None,
    multi_grid: generate.MultiGrid = None,
    decoder: Annotated[
        int | None, typer.Option(help="Stride of the decoder: 4; default: none, which is v3.")
    ] = None,
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
    """Convert the weights of a DeepLab v3 or v3+ net; the options about the net are those of `generate`.

    A checkpoint does not tell rates, multi-grid and output stride: give those it was trained or exported
    with. All variables have to fit: missing ones, and ones left over that are not an optimizer's, are errors.
    """
    from ..convert.convert import KINDS, class_count, kind_of, read_variables, torch_package
    from ..convert.convert import convert as run

    if kind is not None and kind not in KINDS:
        raise DeepLabError(f"--from {kind}: one of {', '.join(KINDS)} wanted")
    name = kind or kind_of(str(source))
    variables = read_variables(str(source), KINDS[name])
    if classes is None:
        classes = class_count(KINDS[name], variables) or 21
    if name == "torch":
        package = torch_package(variables, str(source))
        decoder = None if package == "smp" and decoder == 4 else decoder
        given = {
            "--multi-grid": multi_grid,
            "--decoder": decoder,
            "--plain-aspp, --separable-aspp": separable,
        }
        for option, value in given.items():
            if value is not None:
                raise DeepLabError(f"{option}: {package}'s nets have no such choice")
        net = generate.torch_deeplab(package, backbone, output_stride, rates, classes, size).deploy()
    else:
        stride = 16 if output_stride is None else output_stride
        net = generate.deeplab_v3(
            backbone, stride, rates, multi_grid, decoder or 0, separable, classes, size
        ).deploy()
    filled = run(str(source), KINDS[name], variables, net, output, averages, ignore_unused)
    _report(filled, output)


def _report(filled: "Filled", output: Path) -> None:
    console = options.console()
    for what, names in (("only for training", filled.training), ("left over", filled.unused)):
        if names:
            console.print(f"{what}: {len(names)}: {', '.join(names)}", markup=False, soft_wrap=True)
    print(f"{output}: {filled.used} variables in {len(filled.layers)} layers")
