"""`deeplab-caffe unfold`: weights of a plain net for the same net with batch normalisation."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .numbers import MOST_SEED
from .options import verb


@verb("unfold")
def unfold(
    model: options.Model,
    weights: Annotated[
        Path, typer.Option("--weights", "-w", metavar="CAFFEMODEL", help="Of the net without BatchNorm.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CAFFEMODEL", help="For the model.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]FILE.npy",
            help="The batch, in place of what the net's own data layers give; repeat it.",
        ),
    ] = None,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the data layers' batch.")] = 0,
    variables: options.Variables = None,
    threads: options.Threads = None,
) -> None:
    """Fit the weights of a plain net to a training net with BatchNorm and Scale behind its convolutions.

    A batch of the training net's data, or of --input, gives the statistics; the net then computes what the
    plain one did, and training can go on with batch normalisation. `fold` is the way back.
    """
    from ..convert.unfold import unfold as run
    from ..engine.net import Net
    from ..engine.read_model import read_model
    from .forward import read_inputs

    values = options.parse_variables(variables)
    definition = read_model(model, values, "train", level, stages or (), dialect)
    arrays = read_inputs(inputs or [], definition)
    shapes = {name: array.shape for name, array in arrays.items()}
    net = Net(definition, phase="train", precision="fp32", threads=threads, seed=seed, inputs=shapes)
    names = run(net, weights, arrays)
    output.parent.mkdir(parents=True, exist_ok=True)
    net.save(output)
    print(f"{output}: batch normalisation behind {len(names)} convolutions")
