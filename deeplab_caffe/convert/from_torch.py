"""The way back: a state dict with PyTorch's names and shapes into the layers of a Caffe net."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from ..engine import torch_names
from ..engine.net import Net
from ..engine.weights import save_weights
from ..errors import DeepLabError
from ..formats.layer_types import V1_WIRE_NUMBERS
from ..formats.stored import StoredArray
from .fill import listed
from .folder import CAFFEMODEL

_TRAINING = ".num_batches_tracked"


def fill_from_torch(net: Net, variables: Mapping[str, StoredArray], source: str) -> int:
    """Puts a state dict, named as `engine.torch_names` names it, into the net; returns how many tensors.

    Shared parameters are there once; BatchNorm's statistics come with a divisor of 1. Raises DeepLabError
    that lists what is missing, left over and of another shape; the net then keeps its values.
    """
    entries = {entry.name: entry for entry in torch_names.entries(net.layers)}
    missing = [name for name in entries if name not in variables]
    left = [name for name in variables if name not in entries and not name.endswith(_TRAINING)]
    shapes = [
        f"{name} ({list(variables[name].shape)} in the file, {list(entry.shape)} in the net)"
        for name, entry in entries.items()
        if name in variables and variables[name].shape != entry.shape
    ]
    if problems := [
        f"{what}: {listed(names)}"
        for what, names in (("missing", missing), ("left over", left), ("of another shape", shapes))
        if names
    ]:
        raise DeepLabError(f"{source}: not the weights of {net.definition.source}: {'; '.join(problems)}")
    # Everything is read before anything is changed.
    values = {
        name: entry.to_caffe(torch.from_numpy(variables[name].read())) for name, entry in entries.items()
    }
    for name, entry in entries.items():
        entry.layer.blobs[entry.index].data = values[name]
        if entry.layer.type == "BatchNorm":
            entry.layer.blobs[2].data = torch.ones(1)
    return len(entries)


def convert_from_torch(
    source: str, variables: Mapping[str, StoredArray], net: Net, folder: str | os.PathLike[str]
) -> tuple[Path, str]:
    """Writes the state dict as a caffemodel for `net` into `folder`; returns its path, and the layout.

    The records are those of the prototxt's dialect, but V2 where a layer's type has no number in V1. Raises
    DeepLabError as fill_from_torch does.
    """
    fill_from_torch(net, variables, source)
    numbered = all(layer.type in V1_WIRE_NUMBERS for layer in net.layers if layer.blobs)
    layout = "v1" if net.definition.dialect.four_axes and numbered else "v2"
    path = Path(folder) / CAFFEMODEL
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, net.layers, layout, net.definition.name)
    return path, layout
