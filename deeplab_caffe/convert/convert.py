"""Weights of other programs to a folder with deploy.prototxt and weights.caffemodel."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import DeepLabError
from ..formats.prototxt import read_net
from ..formats.stored import StoredArray
from ..formats.weights import find_arrays
from .fill import Filled, fill, listed
from .folder import PROTOTXT, write_folder
from .layouts import TENSORFLOW, TORCH, Layout

# How slim calls a layer's variables; a graph has many constants beside them.
_VARIABLES = ("weights", "depthwise_weights", "biases", "gamma", "beta", "moving_mean", "moving_variance")

Variables = Mapping[str, StoredArray]


@dataclass(frozen=True)
class Kind:
    """A kind of source: its naming scheme, and the formats it comes in."""

    layout: Layout
    formats: tuple[str, ...]


KINDS = {
    "tf": Kind(TENSORFLOW, ("TensorFlow checkpoint", "TensorFlow graph")),
    "npz": Kind(TENSORFLOW, ("NumPy arrays",)),
    "torch": Kind(TORCH, ("PyTorch state dict", "safetensors")),
}


def kind_of(path: str) -> str:
    """Which of KINDS a file is of, or "tflite", which is no bare set of variables. Raises DeepLabError."""
    found = find_arrays(path).name
    return (
        "tflite" if found == "TFLite" else next(name for name, kind in KINDS.items() if found in kind.formats)
    )


def read_variables(path: str, kind: Kind) -> Variables:
    """The variables in a source of that kind, without TensorFlow's ":0". Raises DeepLabError."""
    found = find_arrays(path, kind.formats)
    return {
        name.removesuffix(":0"): array
        for name, array in found.read(path).items()
        if found.name != "TensorFlow graph" or name.rpartition("/")[2] in _VARIABLES
    }


def class_count(kind: Kind, variables: Variables) -> int | None:
    """How many classes the weights tell apart; None if they lack the scores' biases."""
    for name in kind.layout.classes:
        if name in variables and len(variables[name].shape) == 1:
            return variables[name].shape[0]
    return None


def torch_package(variables: Variables, source: str) -> str:
    """Whose net a state dict is of, by its modules' names. DeepLabError if it is neither package's."""
    modules = {name.partition(".")[0] for name in variables}
    for package, own in (
        ("torchvision", {"backbone", "classifier"}),
        ("smp", {"encoder", "segmentation_head"}),
    ):
        if own <= modules:
            return package
    raise DeepLabError(
        f"{source}: neither torchvision's nor segmentation_models_pytorch's DeepLab: its modules are "
        f"{listed(sorted(modules))}"
    )


def convert(
    source: str,
    kind: Kind,
    variables: Variables,
    prototxt: str,
    folder: str | os.PathLike[str],
    averages: bool = False,
    ignore_unused: bool = False,
) -> Filled:
    """Fills the net of the text `prototxt` from `variables`, writes both to `folder`, tells what went where.

    Each file appears whole or not at all, the weights first. Raises DeepLabError as `fill` does, and when
    variables are left over that not only training needs, unless `ignore_unused`: the net lacks a part then,
    such as the decoder.
    """
    definition = read_net(PROTOTXT, text=prototxt)
    filled = fill(definition, kind.layout, variables, source, averages)
    if filled.unused and not ignore_unused:
        raise DeepLabError(
            f"{source}: {len(filled.unused)} variables have no place in {definition.name}: "
            f"{listed(filled.unused)}; another net (decoder? --plain-aspp?), or --ignore-unused"
        )
    write_folder(folder, prototxt, filled.layers)
    return filled
