"""The classes of pydensecrf.densecrf, with the 2013 library's semantics: symmetric normalisation, a true exp.

Arrays are (labels, points) as there; results are numpy arrays. Numbers may be floats where integers are
meant; their fractions are dropped.
"""

import copy
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import crf
from ..crf.arrays import as_array, to_numpy
from ..crf.devices import Device
from ..crf.lattice import Normalization, lattice_of_images
from ..errors import DeepLabError, DeepLabWarning
from ..types import Floats
from .pairwise import (
    CONST_KERNEL,
    DIAG_KERNEL,
    FULL_KERNEL,
    NO_NORMALIZATION,
    NORMALIZATIONS,
    NORMALIZE_AFTER,
    NORMALIZE_BEFORE,
    NORMALIZE_SYMMETRIC,
    KernelType,
    NormalizationType,
)
from .unary import ConstUnary, LogisticUnary, Unary

__all__ = [
    "CONST_KERNEL",
    "DIAG_KERNEL",
    "FULL_KERNEL",
    "NORMALIZE_AFTER",
    "NORMALIZE_BEFORE",
    "NORMALIZE_SYMMETRIC",
    "NO_NORMALIZATION",
    "ConstUnary",
    "DenseCRF",
    "DenseCRF2D",
    "KernelType",
    "LogisticUnary",
    "NormalizationType",
    "Unary",
]

# Of pydensecrf's numbers, which are a C int.
_MOST = 2**31 - 1


class DenseCRF:
    """A CRF over `nvar` points with `nlabels` labels each. device: where it computes, "cpu" or "cuda".

    Without unary energies all labels are alike. It can be copied and pickled.
    """

    def __init__(
        self, nvar: float, nlabels: float, *, threads: int | None = None, device: Device = None
    ) -> None:
        points, labels = _count("nvar", nvar), _count("nlabels", nlabels)
        self._crf = crf.DenseCRF.of_points(points, labels, true_exp=True, threads=threads, device=device)
        self._has_unary = False

    def __copy__(self) -> "DenseCRF":
        """Another CRF with the same lattices; kernels and energies may be added to either."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other._crf = copy.copy(self._crf)
        return other

    def setUnaryEnergy(self, u: ArrayLike) -> None:  # noqa: N802
        """Sets the energies (labels, points), negative log-probabilities; DeepLabError for another shape."""
        energy = to_numpy("unary", u)
        wanted = (self._crf.num_classes, self._crf.points)
        if energy.shape != wanted:
            raise DeepLabError(f"unary energy: shape {energy.shape} given, {wanted} wanted")
        self._crf.unary(energy.T)
        self._has_unary = True

    def setUnary(self, unary: Unary) -> None:  # noqa: N802
        """Sets the energies of a ConstUnary or LogisticUnary; DeepLabError for anything else."""
        energy = getattr(unary, "energy", None)
        if energy is None:
            raise DeepLabError(f"setUnary: {type(unary).__name__} given, ConstUnary or LogisticUnary wanted")
        self.setUnaryEnergy(energy)

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

    def inference(self, niter: float) -> Floats:
        """Marginals (labels, points) after `niter` iterations; a number below 0 is 0, as in pydensecrf.

        Raises DeepLabError for what is no number or above 2147483647.
        """
        iterations = max(_whole("niter", niter), 0)
        self._model().start().step(iterations)
        return self._marginals()

    def startInference(self) -> tuple[Floats, None, None]:  # noqa: N802
        """The marginals at the start, to be handed to `stepInference`, and two placeholders."""
        self._model().start()
        return self._marginals(), None, None

    def stepInference(self, Q: Floats, tmp1: Any = None, tmp2: Any = None) -> None:  # noqa: N802, N803
        """One iteration on Q (labels, points), in place."""
        Q[...] = to_numpy("Q", self._model().advance(self._values(Q))).T

    def klDivergence(self, Q: ArrayLike) -> float:  # noqa: N802, N803
        """KL divergence of the model from Q (labels, points), but for a constant."""
        return self._model().kl_divergence(self._values(Q))

    def unaryEnergy(self, labels: ArrayLike) -> Floats:  # noqa: N802
        """Each point's unary energy in a labelling (points)."""
        return self._model().unary_energy(labels).ravel()

    def pairwiseEnergy(self, labels: ArrayLike, term: int = -1) -> Floats:  # noqa: N802
        """Each point's pairwise energy in a labelling (points), of kernel number `term` or (-1) of all."""
        return self._model().pairwise_energy(labels, None if term < 0 else term).ravel()

    def _model(self) -> crf.DenseCRF:
        """The CRF, with energies of 0 where none were set."""
        if not self._has_unary:
            self.setUnaryEnergy(np.zeros((self._crf.num_classes, self._crf.points), np.float32))
        return self._crf

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
        self, w: float, h: float, nlabels: float, *, threads: int | None = None, device: Device = None
    ) -> None:
        width, height, labels = (_count(*one) for one in (("w", w), ("h", h), ("nlabels", nlabels)))
        self._crf = crf.DenseCRF(height, width, labels, true_exp=True, threads=threads, device=device)
        self._has_unary = False

    def addPairwiseGaussian(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        compat: float | ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Adds a kernel over positions; sxy: deviation in pixels or (x, y). See addPairwiseEnergy.

        An infinite deviation leaves its axis out, a negative one turns it round; of more numbers than two the
        first are taken, with a DeepLabWarning.
        """
        self._add(_deviations("sxy", sxy, 2), [], compat, kernel, normalization)

    def addPairwiseBilateral(  # noqa: N802
        self,
        sxy: float | Sequence[float],
        srgb: float | Sequence[float],
        rgbim: ArrayLike,
        compat: float | ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Adds a kernel over positions and colours of an image (h, w, 3). See addPairwiseGaussian."""
        image = as_array("rgbim", rgbim)
        if image.ndim != 3 or image.shape[:2] != self._crf.shape or image.shape[2] == 0:
            height, width = self._crf.shape
            raise DeepLabError(
                f"rgbim: {image.shape} given, the CRF is {height} x {width}: ({height}, {width}, 3) wanted"
            )
        stds = _deviations("sxy", sxy, 2) + _deviations("srgb", srgb, image.shape[2])
        self._add(stds, [image], compat, kernel, normalization)

    def _add(
        self,
        stds: tuple[float, ...],
        images: list[Any],
        compat: float | ArrayLike,
        kernel: int,
        normalization: int,
    ) -> None:
        model = self._crf
        options = _options(compat, kernel, normalization)
        lattice = lattice_of_images(
            model.sizes, stds, images, model.threads, model.backend, wide_keys=model.true_exp
        )
        model.add(lattice, *options)


def _options(
    compat: float | ArrayLike, kernel: int, normalization: int
) -> tuple[float, Floats | None, Normalization]:
    """Weight, compatibility and normalisation as crf.DenseCRF has them, where compat is an energy."""
    KernelType(kernel)
    if isinstance(compat, np.ndarray) and compat.ndim and compat.dtype != np.float32:
        raise DeepLabError(f"compat: {compat.dtype} given, float32 wanted, as in pydensecrf")
    compat = np.asarray(compat, np.float32)
    place = NORMALIZATIONS[NormalizationType(normalization)]
    if compat.ndim == 0:
        return float(compat), None, place
    # The energy of two labels is symmetric.
    return 1.0, -compat if compat.ndim == 1 else (compat + compat.T) / 2, place


def _deviations(name: str, value: float | Sequence[float], count: int) -> tuple[float, ...]:
    """The standard deviations of `count` features from one number or several, of which the first count."""
    values = tuple(to_numpy(name, value).ravel().tolist())
    if len(values) > count:
        message = f"{name}: {len(values)} numbers given; the first {count} are taken, as in pydensecrf"
        warnings.warn(message, DeepLabWarning, stacklevel=3)
    elif len(values) not in (1, count):
        raise DeepLabError(f"{name}: {len(values)} numbers given, 1 or {count} wanted")
    values = (values * count)[:count] if len(values) == 1 else values[:count]
    for one in values:
        if math.isnan(one) or one == 0:
            raise DeepLabError(f"{name} {one:g}: a number above 0 wanted")
    return values


def _count(name: str, value: float) -> int:
    count = _whole(name, value)
    if count < 1:
        raise DeepLabError(f"{name} {count}: 1 or more wanted")
    return count


def _whole(name: str, value: float) -> int:
    """A number without its fraction, as Cython passes on what it is given."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise DeepLabError(f"{name} {value!r}: a finite number wanted") from None
    if whole > _MOST:
        raise DeepLabError(f"{name} {whole}: at most {_MOST} wanted")
    return whole
