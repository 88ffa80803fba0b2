"""`deeplab-caffe unfold`: weights of a plain net for the same net with batch normalisation."""

from pathlib import Path
from typing import Annotated

import typer

from . import net_options, options
from .numbers import MOST_SEED
from .options import verb


@verb("unfold")
def unfold(
    model: options.Model,
    weights: Annotated[
        Path, typer.Option("--weights", "-w", metavar="CAFFEMODEL", help="Of the net without BatchNorm.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CAFFEMODEL", help="For the model.")],
    inputs: net_options.Inputs = None,
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

    rules = net_options.rules(variables, level, stages, dialect)
    definition, arrays = net_options.read_with_inputs(model, "train", rules, inputs)
    shapes = {name: array.shape for name, array in arrays.items()}
    net = Net(definition, phase="train", precision="fp32", threads=threads, seed=seed, inputs=shapes)
    names = run(net, weights, arrays)
    output.parent.mkdir(parents=True, exist_ok=True)
    net.save(output)
    print(f"{output}: batch normalisation behind {len(names)} convolutions")
