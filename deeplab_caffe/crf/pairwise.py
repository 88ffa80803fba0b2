"""A Gaussian kernel of a CRF, from a lattice and what users say of it to what the mean field applies."""

import math

import numpy as np

from ..errors import DeepLabError
from .arrays import Array, to_numpy
from .cpu_ops import Pairwise
from .lattice import Lattice, Normalization


def pairwise_of(
    lattice: Lattice,
    weight: float,
    compatibility: Array | None,
    normalization: Normalization,
    num_classes: int,
) -> Pairwise:
    """The kernel that `DenseCRF.add` describes, with arrays of the lattice's backend.

    Raises DeepLabError for weights that are not finite and a compatibility of another shape.
    """
    if not math.isfinite(weight):
        raise DeepLabError(f"weight {weight}: a finite number wanted")
    array = lattice.backend.array
    before, after = lattice.norms(normalization)
    if after is None:
        scale = array("weight", np.full(lattice.points, weight, np.float32))
    else:
        scale = after * float(np.float32(weight))
    if compatibility is None:
        return Pairwise(lattice.native, scale, before, source=lattice.source)
    compatibility = to_numpy("compatibility", compatibility)
    if compatibility.shape not in {(num_classes,), (num_classes, num_classes)}:
        raise DeepLabError(
            f"compatibility: {compatibility.shape} given, ({num_classes}) or ({num_classes}, {num_classes}) "
            "wanted"
        )
    if not np.isfinite(compatibility).all():
        raise DeepLabError("compatibility: finite numbers wanted")
    if compatibility.ndim == 1:
        weights = array("compatibility", compatibility)
        return Pairwise(lattice.native, scale, before, weights, source=lattice.source)
    matrix = array("compatibility", -compatibility)
    return Pairwise(lattice.native, scale, before, None, matrix, source=lattice.source)
