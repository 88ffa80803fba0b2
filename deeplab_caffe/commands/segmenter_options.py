"""How a photo goes through a deploy net, on the command line: options of the verbs that make a Segmenter."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .numbers import several

if TYPE_CHECKING:
    from ..segmenter.segmenter import Segmenter

Mean = Annotated[
    str | None,
    typer.Option(
        metavar="B,G,R",
        help="Subtracted from the image, in the order of the net's channels; default: the net's own, or "
        "104.008,116.669,122.675 if it has none.",
    ),
]
Scales = Annotated[
    str, typer.Option(help="Sizes to look at, of the image's; the mean of their probabilities counts.")
]
Flip = Annotated[bool, typer.Option("--flip", help="Look at mirror images, too.")]
ScoresBlob = Annotated[
    str | None, typer.Option("--scores-blob", help="The scores, if the net has several outputs.")
]
PadTo = Annotated[
    str | None, typer.Option(metavar="HxW", help="Pad smaller images, as TensorFlow's evaluation did.")
]


def make_segmenter(
    model: Path,
    weights: Path | None,
    *,
    random_weights: bool,
    mean: str | None,
    scales: str,
    flip: bool,
    scores_blob: str | None,
    pad_to: str | None,
    variables: list[str] | None,
    device: str,
    precision: str,
    threads: int | None,
    weight_memory: str | None,
    level: int = 0,
    stages: list[str] | None = None,
    allow_python_layers: bool = False,
) -> "Segmenter":
    """The Segmenter that the options describe; DeepLabError names one that is wrong."""
    from ..segmenter.segmenter import Segmenter
    from .shape_options import parse_size

    options.permit_python_layers(allow_python_layers)  # again where this is a worker's process
    return Segmenter(
        model,
        weights,
        random_weights=random_weights,
        mean=None if mean is None else several(mean, "--mean"),
        output=scores_blob,
        variables=options.parse_variables(variables),
        scales=several(scales, "--scales"),
        flip=flip,
        pad_to=parse_size(pad_to, "--pad-to") or (0, 0),
        device=device,
        precision=precision,
        threads=threads,
        weight_memory=options.parse_bytes(weight_memory, "--weight-memory"),
        level=level,
        stages=tuple(stages or ()),
    )
