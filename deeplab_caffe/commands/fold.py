"""`deeplab-caffe fold`: batch normalisation folded into the convolutions."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DeepLabError
from . import options
from .options import verb


@verb("fold")
def fold(
    model: options.Model,
    weights: Annotated[Path, typer.Option("--weights", "-w", metavar="CAFFEMODEL", help="Its parameters.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="CAFFEMODEL", help="The folded parameters.")
    ],
    layout: Annotated[str, typer.Option(help="Of the file: v1 or v2.")] = "v1",
    phase: Annotated[str, typer.Option(help="Whose layers to take: train or test.")] = "train",
    variables: options.Variables = None,
) -> None:
    """Fold every BatchNorm and Scale behind a convolution into its weights and bias.

    The result is for the same net without those layers, its convolutions with `bias_term: true`: so a net
    trained with batch normalisation runs as a plain one.
    """
    from ..convert.fold import fold as run
    from ..engine.net import Net
    from ..formats.caffemodel import write_caffemodel

    if layout not in ("v1", "v2"):
        raise DeepLabError(f"--layout {layout}: v1 or v2 wanted")
    net = Net(model, phase=phase, variables=options.parse_variables(variables))
    net.fill(weights)
    folded = run(net)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_caffemodel(output, folded.layers, layout=layout)
    print(f"{output}: {len(folded.layers)} layers, {len(folded.folded)} folded")
