"""`deeplab-caffe fold`: batch normalisation folded into the convolutions."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DeepLabError
from . import net_options, options, shape_options
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
    size: options.Size = None,
    shapes: options.Shapes = None,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
) -> None:
    """Fold every BatchNorm and Scale behind a convolution into its weights and bias.

    The result is for the same net without those layers, its convolutions with `bias_term: true`: so a net
    trained with batch normalisation runs as a plain one. No data is needed: inspect tells about --size and
    --shape.
    """
    from ..convert.fold import fold as run
    from ..engine.feeding import missing_inputs
    from ..engine.net import Net
    from ..engine.read_model import read_model
    from ..formats.caffemodel import write_caffemodel
    from ..layers import Context

    if layout not in ("v1", "v2"):
        raise DeepLabError(f"--layout {layout}: v1 or v2 wanted")
    rules = net_options.rules(variables, level, stages, dialect)
    definition = read_model(model, phase=phase, **rules)
    given = shape_options.parse_shapes(shapes)
    context = Context(phase=phase, shapes_only=True)
    inputs = missing_inputs(definition, context, shape_options.parse_size(size), given)
    net = Net(definition, phase=phase, inputs=inputs)
    net.fill(weights)
    folded = run(net)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_caffemodel(output, folded.layers, layout=layout)
    print(f"{output}: {len(folded.layers)} layers, {len(folded.folded)} folded")
