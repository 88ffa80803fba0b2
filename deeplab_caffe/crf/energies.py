"""Unary energies of the dense CRF, from scores, probabilities or energies, in memory or in files."""

import math
import os
from typing import Literal

from ..errors import DeepLabError
from ..formats.scores import read_values
from ..types import Floats
from .arrays import Array
from .devices import Device, backend_for

Kind = Literal["scores", "probabilities", "energies"]


def energies_of(values: Array, kind: Kind, threads: int | None = None, device: Device = None) -> Array:
    """Unary energies from scores (negated), probabilities (-log; infinity for 0) or energies themselves."""
    backend = backend_for(device)
    x = backend.array(kind, values)
    if kind == "scores":
        return -x
    if kind == "probabilities":
        if math.prod(x.shape) and (x.min() < 0 or x.max() > 1.001):
            raise DeepLabError(f"probabilities: from 0 to 1 wanted, {x.min():g} to {x.max():g} given")
        return -backend.ops.log(x, threads=threads)
    if kind != "energies":
        raise DeepLabError(f"kind {kind}: scores, probabilities or energies wanted")
    return x


def read_energies(
    path: str | os.PathLike[str], kind: Kind, height: int, width: int, threads: int | None = None
) -> Floats:
    """Unary energies (height, width, labels) of an image from a file of scores, probabilities or energies."""
    try:
        return energies_of(read_values(path, height, width), kind, threads)
    except DeepLabError as error:
        text = str(error)
        raise DeepLabError(text if text.startswith(str(path)) else f"{path}: {text}") from None
