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
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the data layers' batch.")] = 0,
    variables: options.Variables = None,
    threads: options.Threads = None,
) -> None:
    """Fit the weights of a plain net to a training net with BatchNorm and Scale behind its convolutions.

    A batch of the training net's data gives the statistics; the net then computes what the plain one did, and
    training can go on with batch normalisation. `fold` is the way back.
    """
    from ..convert.unfold import unfold as run
    from ..engine.net import Net

    values = options.parse_variables(variables)
    net = Net(model, phase="train", variables=values, precision="fp32", threads=threads, seed=seed)
    names = run(net, weights)
    output.parent.mkdir(parents=True, exist_ok=True)
    net.save(output)
    print(f"{output}: batch normalisation behind {len(names)} convolutions")
