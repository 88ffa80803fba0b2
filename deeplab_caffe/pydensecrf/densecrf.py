"""The classes of pydensecrf.densecrf, with the 2013 library's semantics: symmetric normalisation, a true exp.

Arrays are (labels, points) as there; results are numpy arrays. Kernels learn nothing here, so CONST_KERNEL,
DIAG_KERNEL and FULL_KERNEL, which differ in what can be learned, give the same result.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import crf
from ..crf.arrays import to_numpy
from ..crf.devices import Device
from ..crf.lattice import Normalization
from ..errors import DeepLabError
from ..types import Floats


class KernelType(IntEnum):
    """What of a kernel's precision matrix could be learned."""

    CONST_KERNEL = 0
    DIAG_KERNEL = 1
    FULL_KERNEL = 2


class NormalizationType(IntEnum):
    """Where a kernel is normalised."""

    NO_NORMALIZATION = 0
    NORMALIZE_BEFORE = 1
    NORMALIZE_AFTER = 2
    NORMALIZE_SYMMETRIC = 3


CONST_KERNEL, DIAG_KERNEL, FULL_KERNEL = KernelType
NO_NORMALIZATION, NORMALIZE_BEFORE, NORMALIZE_AFTER, NORMALIZE_SYMMETRIC = NormalizationType
_NORMALIZATIONS: dict[int, Normalization] = {
    NO_NORMALIZATION: "none",
    NORMALIZE_BEFORE: "before",
    NORMALIZE_AFTER: "after",
    NORMALIZE_SYMMETRIC: "symmetric",
}


class Unary:
    """Fixed unary energies (labels, points), for `setUnary`."""

    def __init__(self, energy: ArrayLike) -> None:
        self.energy = energy


ConstUnary = Unary


class DenseCRF:
    """A CRF over `nvar` points with `nlabels` labels each. device: where it computes, "cpu" or "cuda"."""

    def __init__(self, nvar: int, nlabels: int, *, threads: int | None = None, device: Device = None) -> None:
        self._crf = crf.DenseCRF.of_points(nvar, nlabels, true_exp=True, threads=threads, device=device)

    def setUnaryEnergy(self, energy: ArrayLike) -> None:  # noqa: N802
        """Sets the energies (labels, points), negative log-probabilities; DeepLabError for another shape."""
        energy = to_numpy("unary", energy)
        wanted = (self._crf.num_classes, self._crf.points)
        if energy.shape != wanted:
            raise DeepLabError(f"unary energy: shape {energy.shape} given, {wanted} wanted")
        self._crf.unary(energy.T)

    def setUnary(self, unary: Unary) -> None:  # noqa: N802
        """Sets the energies of a ConstUnary."""
        self.setUnaryEnergy(unary.energy)

    def addPairwiseEnergy(  # noqa: N802
        self,
        features: ArrayLike,
        compat: float | ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Adds a kernel over features (d, points) in units of its standard deviation.

        compat: a number (Potts: equal labels are supported by it), or energies that (labels) equal labels or
        (labels, labels) any two labels cost. Raises DeepLabError for shapes that do not fit.
        """
        features = to_numpy("features", features)
        if features.ndim != 2 or features.shape[1] != self._crf.points:
            raise DeepLabError(f"features: {features.shape} given, (d, {self._crf.points}) wanted")
        self._crf.pairwise(features.T, *_options(compat, kernel, normalization))

    def inference(self, niter: int) -> Floats:
        """Marginals (labels, points) after `niter` iterations."""
        self._crf.start().step(niter)
        return self._marginals()

    def startInference(self) -> tuple[Floats, None, None]:  # noqa: N802
        """The marginals at the start, to be handed to `stepInference`, and two placeholders."""
        self._crf.start()
        return self._marginals(), None, None

    def stepInference(self, Q: Floats, tmp1: Any = None, tmp2: Any = None) -> None:  # noqa: N802, N803
        """One iteration on Q (labels, points), in place."""
        Q[...] = to_numpy("Q", self._crf.advance(self._values(Q))).T

    def klDivergence(self, Q: ArrayLike) -> float:  # noqa: N802, N803
        """KL divergence of the model from Q (labels, points), but for a constant."""
        return self._crf.kl_divergence(self._values(Q))

    def unaryEnergy(self, labels: ArrayLike) -> Floats:  # noqa: N802
        """Each point's unary energy in a labelling (points)."""
        return self._crf.unary_energy(labels).ravel()

    def pairwiseEnergy(self, labels: ArrayLike, term: int = -1) -> Floats:  # noqa: N802
        """Each point's pairwise energy in a labelling (points), of kernel number `term` or (-1) of all."""
        return self._crf.pairwise_energy(labels, None if term < 0 else term).ravel()

    def _marginals(self) -> Floats:
        model = self._crf
        return model.marginals.reshape(model.points, model.num_classes).T.copy()

    def _values(self, q: ArrayLike) -> Floats:
        q = to_numpy("Q", q)
        wanted = (self._crf.num_classes, self._crf.points)
        if q.shape != wanted:
            raise DeepLabError(f"Q: shape {q.shape} given, {wanted} wanted")
        return np.ascontiguousarray(q.T)


class DenseCRF2D(DenseCRF):
    """A CRF over the pixels of an image, numbered row by row. Note the order: width, height, labels."""

    def __init__(
        self, w: int, h: int, nlabels: int, *, threads: int | None = None, device: Device = None
    ) -> None:
        self._crf = crf.DenseCRF(h, w, nlabels, true_exp=True, threads=threads, device=device)

    def addPairwiseGaussian(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        compat: float | ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Adds a kernel over positions; sxy: deviation in pixels or (x, y). See addPairwiseEnergy."""
        self._crf.gaussian(sxy, *_options(compat, kernel, normalization))

    def addPairwiseBilateral(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        srgb: float | Sequence[float],
        rgbim: ArrayLike,
        compat: float | ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Adds a kernel over positions and colours of an image (h, w, 3). See addPairwiseEnergy."""
        image = np.asarray(rgbim)
        self._crf.bilateral(image, sxy, srgb, *_options(compat, kernel, normalization))


def _options(
    compat: float | ArrayLike, kernel: int, normalization: int
) -> tuple[float, Floats | None, Normalization]:
    """Weight, compatibility and normalisation as crf.DenseCRF has them, where compat is an energy."""
    KernelType(kernel)
    compat = np.asarray(compat, np.float32)
    place = _NORMALIZATIONS[NormalizationType(normalization)]
    if compat.ndim == 0:
        return float(compat), None, place
    # The energy of two labels is symmetric.
    return 1.0, -compat if compat.ndim == 1 else (compat + compat.T) / 2, place
