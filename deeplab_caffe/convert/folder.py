"""The folder that `convert` writes: a net and its weights, under names of their own."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..formats.caffemodel import write_caffemodel
from ..formats.files import replacing
from ..formats.prototxt import read_net
from ..formats.records import LayerBlobs

PROTOTXT, CAFFEMODEL = "deploy.prototxt", "weights.caffemodel"


def write_folder(folder: str | os.PathLike[str], prototxt: str, layers: Sequence[LayerBlobs]) -> None:
    """Writes the weights, then the text; each file appears whole or not at all. Raises DeepLabError."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    write_caffemodel(target / CAFFEMODEL, layers, name=read_net(PROTOTXT, text=prototxt).name)
    with replacing(target / PROTOTXT) as file:
        file.write(prototxt.encode())
