"""`deeplab-caffe generate`: prototxts of the larger nets."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DeepLabError
from . import base
from .base import verb

app = base.group("generate", "Write the prototxts of a net.")


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
    from ..formats.files import replacing
    from ..generate.deeplab_v2 import DeepLabV2

    net = DeepLabV2(backbone, head, parse_rates(rates), multi_scale)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in (("deploy", net.deploy()), ("test", net.test())):
        with replacing(output / f"{name}.prototxt") as file:
            file.write(text.encode())


def parse_rates(text: str) -> tuple[int, ...]:
    """ "6,12" as (6, 12), "" as (); DeepLabError for anything else."""
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() for part in parts):
        raise DeepLabError(f"--rates {text}: numbers with commas between them wanted")
    return tuple(map(int, parts))
