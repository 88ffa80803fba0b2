"""`deeplab-caffe generate`: prototxts of the larger nets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeepLabError
from . import options
from .numbers import MOST_CLASSES
from .options import verb

if TYPE_CHECKING:
    from ..generate.deeplab_v3 import DeepLabV3
    from ..generate.torch_deeplab import TorchDeepLab

app = options.group("generate", "Write the prototxts of a net.")


@verb("v2", into=app)
def v2(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for deploy and test.prototxt.")],
    backbone: Annotated[str, typer.Option(help="vgg16 or resnet101.")] = "resnet101",
    head: Annotated[str, typer.Option(help="largefov or aspp.")] = "aspp",
    rates: Annotated[
        str, typer.Option(help="Of the head's convolutions; default: 12 for largefov, 6,12,18,24 for aspp.")
    ] = "",
    multi_scale: Annotated[
        bool, typer.Option("--multi-scale", help="Three scales, maximum of their scores (resnet101).")
    ] = False,
) -> None:
    """DeepLab v2, as in prototxt/deeplab_v2: VGG-16 or ResNet-101, with the released layer names."""
    from ..generate.deeplab_v2 import DeepLabV2

    net = DeepLabV2(backbone, head, parse_rates(rates), multi_scale)
    _write(output, {"deploy": net.deploy(), "test": net.test()})


def parse_rates(text: str, option: str = "--rates") -> tuple[int, ...]:
    """ "6,12" as (6, 12), "" as (); DeepLabError for anything else."""
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise DeepLabError(f"{option} {text}: numbers with commas between them wanted")
    return tuple(map(int, parts))


# What the verbs for DeepLab v3 and v3+ have in common, those that read weights for such a net included.
Folder = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where deploy.prototxt goes.")]
Backbone = Annotated[
    str,
    typer.Option(
        help="resnet_v1_50_beta, resnet_v1_101_beta, xception_41, xception_65, xception_71, mobilenet_v2."
    ),
]
OutputStride = Annotated[int, typer.Option(help="Of the features: 8, 16 or 32.")]
Rates = Annotated[
    str | None,
    typer.Option(
        help="Of the head's 3x3 convolutions, '' for none; default: 6,12,18 at output stride 16, in "
        "proportion at others, none for mobilenet_v2."
    ),
]
MultiGrid = Annotated[
    str | None,
    typer.Option(help="Factors of the last block's rates; default: 1,2,4 for ResNet, 1,1,1 for Xception."),
]
Separable = Annotated[
    bool | None,
    typer.Option(
        "--separable-aspp/--plain-aspp",
        help="Kind of the 3x3 convolutions in head and decoder; default: separable with a decoder only.",
    ),
]
Classes = Annotated[int, typer.Option(min=1, max=MOST_CLASSES, help="Number of classes.")]
Size = Annotated[str, typer.Option(metavar="HxW", help="Of the input; the net also runs at any other.")]


def deeplab_v3(
    backbone: str,
    output_stride: int,
    rates: str | None,
    multi_grid: str | None,
    decoder: int,
    separable: bool | None,
    classes: int,
    size: str,
) -> "DeepLabV3":
    """The net that these options ask for."""
    from ..generate.deeplab_v3 import SIZE, DeepLabV3
    from .shape_options import parse_size

    return DeepLabV3(
        backbone,
        output_stride,
        None if rates is None else parse_rates(rates),
        None if multi_grid is None else parse_rates(multi_grid, "--multi-grid"),
        decoder,
        separable,
        classes,
        parse_size(size) or SIZE,
    )


def torch_deeplab(
    package: str,
    backbone: str,
    output_stride: int | None,
    rates: str | None,
    classes: int,
    size: str,
) -> "TorchDeepLab":
    """The net that these options ask for; None: as the package has it."""
    from ..generate.torch_deeplab import HEAD_RATES, TorchDeepLab
    from .shape_options import parse_size

    numbers = HEAD_RATES if rates is None else parse_rates(rates)
    return TorchDeepLab(package, backbone, output_stride or 0, numbers, classes, parse_size(size) or (0, 0))


@verb("v3", into=app)
def v3(
    output: Folder,
    backbone: Backbone = "resnet_v1_101_beta",
    output_stride: OutputStride = 16,
    rates: Rates = None,
    multi_grid: MultiGrid = None,
    separable: Separable = None,
    classes: Classes = 21,
    size: Size = "513x513",
) -> None:
    """DeepLab v3, as in prototxt/deeplab_v3: atrous spatial pyramid pooling with image pooling."""
    net = deeplab_v3(backbone, output_stride, rates, multi_grid, 0, separable, classes, size)
    _write(output, {"deploy": net.deploy()})


@verb("v3plus", into=app)
def v3plus(
    output: Folder,
    backbone: Backbone = "xception_65",
    output_stride: OutputStride = 16,
    rates: Rates = None,
    multi_grid: MultiGrid = None,
    decoder: Annotated[int, typer.Option(help="Stride of the decoder: 4.")] = 4,
    separable: Separable = None,
    classes: Classes = 21,
    size: Size = "513x513",
) -> None:
    """DeepLab v3+, as in prototxt/deeplab_v3plus: v3 and a decoder."""
    net = deeplab_v3(backbone, output_stride, rates, multi_grid, decoder, separable, classes, size)
    _write(output, {"deploy": net.deploy()})


@verb("torchvision", into=app)
def torchvision(
    output: Folder,
    backbone: Annotated[str, typer.Option(help="resnet50, resnet101 or mobilenet_v3_large.")] = "resnet50",
    classes: Classes = 21,
    size: Size = "513x513",
) -> None:
    """DeepLab v3 with torchvision's names and geometry, as in prototxt/deeplab_v3."""
    net = torch_deeplab("torchvision", backbone, None, None, classes, size)
    _write(output, {"deploy": net.deploy()})


@verb("smp", into=app)
def smp(
    output: Folder,
    backbone: Annotated[str, typer.Option(help="resnet50 or resnet101.")] = "resnet50",
    output_stride: Annotated[int, typer.Option(help="Of the features: 8 or 16.")] = 16,
    rates: Annotated[str, typer.Option(help="Of the head's 3x3 convolutions.")] = "12,24,36",
    classes: Classes = 21,
    size: Size = "513x513",
) -> None:
    """DeepLab v3+ with the names of segmentation_models_pytorch, as in prototxt/deeplab_v3plus."""
    net = torch_deeplab("smp", backbone, output_stride, rates, classes, size)
    _write(output, {"deploy": net.deploy()})


def _write(folder: Path, texts: dict[str, str]) -> None:
    from ..formats.files import replacing

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with replacing(folder / f"{name}.prototxt") as file:
            file.write(text.encode())
