"""`deeplab-caffe convert`: weights of TensorFlow and PyTorch programs to prototxt and caffemodel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DeepLabError
from . import generate, options
from .numbers import MOST_CLASSES
from .options import verb

if TYPE_CHECKING:
    from ..convert.fill import Filled

SIZE = "513x513"


@verb("convert")
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="TensorFlow Lite file (.tflite), TensorFlow checkpoint (its prefix, .index or folder), "
            "SavedModel (its folder) or frozen graph (.pb), .npz of arrays by TensorFlow name, PyTorch state "
            "dict (.pt, .pth, .safetensors).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="For deploy.prototxt, weights.caffemodel.")
    ],
    backbone: Annotated[
        str | None,
        typer.Option(
            help="resnet_v1_50_beta, resnet_v1_101_beta, xception_41, xception_65, xception_71, "
            "mobilenet_v2; of PyTorch weights resnet50, resnet101, mobilenet_v3_large. A .tflite file tells."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            metavar="PROTOTXT|NAME",
            callback=options.find_model,
            help="A state dict with this net's names (conv1_1.weight) becomes its caffemodel again.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--from", help="tflite, tf, npz or torch; default: what the file itself tells."),
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
    classes: Annotated[
        int | None, typer.Option(min=1, max=MOST_CLASSES, help="Number of classes; default: the weights'.")
    ] = None,
    size: generate.Size = SIZE,
    averages: Annotated[
        bool, typer.Option("--averages", help="Take the moving averages of the variables (TensorFlow).")
    ] = False,
    ignore_unused: Annotated[
        bool, typer.Option("--ignore-unused", help="Convert although variables are left over.")
    ] = False,
    variables: options.Variables = None,
) -> None:
    """Convert a DeepLab of another program to a prototxt and a caffemodel.

    A .tflite file tells all about its net. Other weights of DeepLab v3 and v3+ want --backbone and the
    options of `generate`: a checkpoint does not tell rates, multi-grid and output stride; give those it was
    trained or exported with. All variables have to fit: missing ones, and ones left over that are not an
    optimizer's, are errors. With --model a state dict of that net, fine-tuned in PyTorch say, becomes a
    caffemodel.
    """
    chosen = {
        "--backbone": backbone,
        "--output-stride": output_stride,
        "--rates": rates,
        "--multi-grid": multi_grid,
        "--decoder": decoder,
        "--plain-aspp, --separable-aspp": separable,
        "--classes": classes,
        "--size": None if size == SIZE else size,
        "--averages": averages or None,
        "--ignore-unused": ignore_unused or None,
    }
    name = _kind(source, kind)
    if variables and model is None:
        raise DeepLabError("--set: for the variables of the prototxt that --model gives")
    if model is not None:
        if name == "tflite":
            raise DeepLabError(f"--model {model}: a .tflite file tells its own net")
        _refuse(chosen, f"--model {model} tells what the net is")
        _from_torch(source, name, model, options.parse_variables(variables), output)
    elif name == "tflite":
        _refuse(chosen, f"{source} tells what the net is")
        _tflite(source, output)
    elif backbone is None:
        raise DeepLabError(
            f"{source}: --backbone wanted, what these weights are of, or --model, whose names they have"
        )
    else:
        net_options = (backbone, output_stride, rates, multi_grid, decoder, separable, classes, size)
        _generated(source, name, net_options, output, averages, ignore_unused)


def _kind(source: Path, kind: str | None) -> str:
    """What the source is: "tflite" or one of KINDS. DeepLabError: `kind` is neither."""
    from ..convert.convert import KINDS, kind_of

    if kind is not None and kind not in (known := ("tflite", *KINDS)):
        raise DeepLabError(f"--from {kind}: one of {', '.join(known)} wanted")
    return kind or kind_of(str(source))


def _refuse(chosen: dict[str, Any], reason: str) -> None:
    for option, value in chosen.items():
        if value is not None:
            raise DeepLabError(f"{option}: {reason}")


def _tflite(source: Path, output: Path) -> None:
    from ..convert.tflite.convert import convert_tflite

    converted = convert_tflite(source, output)
    for what in converted.left_out:
        options.console().print(f"left out: {what}", markup=False, soft_wrap=True)
    print(
        f"{output}: {sum(len(layer.blobs) for layer in converted.layers)} constants "
        f"in {len(converted.layers)} layers"
    )


def _from_torch(source: Path, kind: str, model: Path, variables: dict[str, str], output: Path) -> None:
    from ..convert.convert import KINDS, read_variables
    from ..convert.from_torch import convert_from_torch
    from ..engine.net import Net

    arrays = read_variables(str(source), KINDS["npz" if kind == "npz" else "torch"])
    path, layout = convert_from_torch(str(source), arrays, Net(model, variables=variables), output)
    print(f"{path}: {len(arrays)} tensors in {layout.upper()} records")


def _generated(
    source: Path,
    kind: str,
    net_options: tuple[Any, ...],
    output: Path,
    averages: bool,
    ignore_unused: bool,
) -> None:
    """Weights of a net that `generate` writes."""
    from ..convert.convert import KINDS, class_count, read_variables, torch_package
    from ..convert.convert import convert as run

    backbone, output_stride, rates, multi_grid, decoder, separable, classes, size = net_options
    variables = read_variables(str(source), KINDS[kind])
    if classes is None:
        classes = class_count(KINDS[kind], variables) or 21
    if kind == "torch":
        package = torch_package(variables, str(source))
        decoder = None if package == "smp" and decoder == 4 else decoder
        given = {
            "--multi-grid": multi_grid,
            "--decoder": decoder,
            "--plain-aspp, --separable-aspp": separable,
        }
        _refuse(given, f"{package}'s nets have no such choice")
        net = generate.torch_deeplab(package, backbone, output_stride, rates, classes, size).deploy()
    else:
        stride = 16 if output_stride is None else output_stride
        net = generate.deeplab_v3(
            backbone, stride, rates, multi_grid, decoder or 0, separable, classes, size
        ).deploy()
    filled = run(str(source), KINDS[kind], variables, net, output, averages, ignore_unused)
    _report(filled, output)


def _report(filled: "Filled", output: Path) -> None:
    console = options.console()
    for what, names in (("only for training", filled.training), ("left over", filled.unused)):
        if names:
            console.print(f"{what}: {len(names)}: {', '.join(names)}", markup=False, soft_wrap=True)
    print(f"{output}: {filled.used} variables in {len(filled.layers)} layers")
