"""The fully connected CRF of Kraehenbuehl and Koltun (2011) with mean-field inference.

The arithmetic is that of the program the DeepLab authors post-processed with, to the last bit (`true_exp`
chooses a true exponential instead of its approximate one, as the 2013 library has it). Energies are unary
potentials, -log of probabilities up to a constant. Standard deviations are in pixels and the image's units.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import crf_ops
from .errors import DeepLabError
from .lattices import (
    Array,
    Floats,
    Lattice,
    Normalization,
    as_array,
    bilateral_lattice,
    is_tensor,
    position_lattice,
    to_numpy,
)

__all__ = ["DenseCRF", "Kind", "Step", "energies_of", "image_crf", "refine"]

Kind = Literal["scores", "probabilities", "energies"]


class Step(NamedTuple):
    """The state after an iteration: its number (0: the start), marginals, KL divergence (see there)."""

    iteration: int
    marginals: Array
    kl: float


class DenseCRF:
    """A CRF over an image's pixels, or any points, in which every pair interacts through Gaussian kernels.

    Add energies and kernels, then `infer`. Lattices are built when a kernel is added and stay: give `unary`
    other energies for the next inference on the same image.

    threads: CPU threads, None for torch's own setting. Raises DeepLabError for sizes below 1.
    """

    def __init__(
        self, height: int, width: int, labels: int, *, true_exp: bool = False, threads: int | None = None
    ) -> None:
        self._setup((height, width), labels, true_exp, threads)

    @classmethod
    def of_points(
        cls, points: int, labels: int, *, true_exp: bool = False, threads: int | None = None
    ) -> "DenseCRF":
        """A CRF over `points` points without the order of an image; kernels come from `pairwise`."""
        crf = cls.__new__(cls)
        crf._setup((points,), labels, true_exp, threads)
        return crf

    def _setup(self, shape: tuple[int, ...], labels: int, true_exp: bool, threads: int | None) -> None:
        if min(shape) < 1 or labels < 1:
            raise DeepLabError(
                f"CRF over {' x '.join(map(str, shape))} points with {labels} labels: 1 or more wanted"
            )
        self.shape, self.labels, self.true_exp, self.threads = shape, labels, true_exp, threads
        self.points = math.prod(shape)
        self.kernels: list[crf_ops.Pairwise] = []
        self._unary: Floats | None = None
        self._q: Floats | None = None
        self._numpy = False

    def unary(self, energy: Array) -> "DenseCRF":
        """Sets the energies, (height, width, labels) or (points, labels); plus infinity rules a label out.

        Raises DeepLabError for another shape.
        """
        self._numpy = not is_tensor(energy)
        energy = to_numpy("unary", energy)
        if energy.shape not in {(*self.shape, self.labels), (self.points, self.labels)}:
            wanted = " x ".join(map(str, (*self.shape, self.labels)))
            raise DeepLabError(f"unary: {' x '.join(map(str, energy.shape))} energies given, {wanted} wanted")
        self._unary, self._q = energy.reshape(self.points, self.labels), None
        return self

    def gaussian(
        self,
        std: float | Sequence[float],
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over positions; std in pixels, one number or (x, y). See `add`."""
        return self.add(
            position_lattice(*self._size(), std, self.threads), weight, compatibility, normalization
        )

    def bilateral(
        self,
        image: Array,
        xy_std: float | Sequence[float],
        rgb_std: float | Sequence[float],
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over positions and the channels of an image (H, W, C) of any type. See `add`."""
        if tuple(image.shape[:2]) != self._size():
            raise DeepLabError(
                f"image: {' x '.join(map(str, image.shape))} given, "
                f"the CRF is {self.shape[0]} x {self.shape[1]}"
            )
        lattice = bilateral_lattice(image, xy_std, rgb_std, self.threads)
        return self.add(lattice, weight, compatibility, normalization)

    def pairwise(
        self,
        features: Array,
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over features (points, d) or (H, W, d), in units of its deviation. See `add`."""
        features = as_array("features", features)
        if features.ndim < 2 or features.shape[:-1] not in {self.shape, (self.points,)}:
            raise DeepLabError(f"features: {features.shape} given, ({self.points}, d) wanted")
        planes = features.reshape(self.points, -1).T
        return self.add(Lattice(planes, self.threads), weight, compatibility, normalization)

    def add(
        self,
        lattice: Lattice,
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel with a lattice that is already there.

        weight: times the Potts model, that is, each label is supported by weight * its filtered marginals.
        compatibility: None, or (labels): the support of each label times that; or (labels, labels): a penalty
        [from, to] times the filtered marginals of `from` on label `to` instead of the support.
        normalization: "after" (the 2011 program), "before", "symmetric" (the 2013 library) or "none".
        Raises DeepLabError for another number of points or labels, or weights that are not finite.
        """
        if lattice.points != self.points:
            raise DeepLabError(f"a kernel over {lattice.points} points, the CRF has {self.points}")
        if not math.isfinite(weight):
            raise DeepLabError(f"weight {weight}: a finite number wanted")
        before, after = lattice.norms(normalization)
        scale = np.full(self.points, weight, np.float32) if after is None else np.float32(weight) * after
        label_weights = matrix = None
        if compatibility is not None:
            compatibility = to_numpy("compatibility", compatibility)
            if compatibility.shape not in {(self.labels,), (self.labels, self.labels)}:
                raise DeepLabError(
                    f"compatibility: {compatibility.shape} given, ({self.labels}) or "
                    f"({self.labels}, {self.labels}) wanted"
                )
            if not np.isfinite(compatibility).all():
                raise DeepLabError("compatibility: finite numbers wanted")
            if compatibility.ndim == 1:
                label_weights = compatibility
            else:
                matrix = -compatibility
        self.kernels.append(crf_ops.Pairwise(lattice.native, scale, before, label_weights, matrix))
        return self

    def start(self) -> "DenseCRF":
        """Begins inference: marginals become softmax(-unary). DeepLabError for energies such as NaN."""
        if self._unary is None:
            raise DeepLabError("the CRF has no unary energies yet")
        self._q = crf_ops.mean_field_start(self._unary, self.true_exp, threads=self.threads)
        return self

    def step(self, iterations: int = 1) -> "DenseCRF":
        """Mean-field iterations, beginning with `start` if there is none yet."""
        if iterations < 0:
            raise DeepLabError(f"{iterations} iterations: 0 or more wanted")
        if self._q is None:
            self.start()
        if iterations and self.kernels:
            self._q = crf_ops.mean_field_iterate(
                self.kernels, self._unary, self._q, iterations, self.true_exp, threads=self.threads
            )
        return self

    def infer(self, iterations: int = 10) -> Array:
        """Marginals (height, width, labels) or (points, labels) after that many iterations from the start."""
        self.start().step(iterations)
        return self.marginals

    def steps(self, iterations: int = 10) -> Iterator[Step]:
        """Inference step by step: the start and every iteration, with copies of the marginals and the KL."""
        self.start()
        for iteration in range(iterations + 1):
            if iteration:
                self.step()
            copy = self._current().copy().reshape(*self.shape, self.labels)
            yield Step(iteration, self._result(copy), self.kl_divergence())

    @property
    def marginals(self) -> Array:
        """The current marginals; the next `step` overwrites them."""
        return self._result(self._current().reshape(*self.shape, self.labels))

    def map(self) -> Array:
        """The most probable label of each point (the lowest of equals), int16 (height, width) or (points)."""
        labels = crf_ops.best_labels(self._current(), threads=self.threads)
        return self._result(labels.reshape(self.shape))

    def kl_divergence(self, marginals: Array | None = None) -> float:
        """KL divergence of the model from these (or the current) marginals, but for a constant.

        sum q log q + <q, unary> + <q, pairwise(q)>, over ordered pairs, in double precision.
        """
        q = self._current() if marginals is None else self._values("marginals", marginals)
        used = q > 0  # x log x is 0 at 0, and so is the energy of a label that is ruled out.
        total = float((np.log(q[used], dtype=np.float64) * q[used]).sum())
        total += float((self._energies()[used] * q[used].astype(np.float64)).sum())
        for kernel in self.kernels:
            total += float((self._potential(kernel, q) * q.astype(np.float64)).sum())
        return total

    def unary_energy(self, labels: Array) -> Array:
        """Each point's unary energy in a labelling (height, width) or (points)."""
        index = self._labelling(labels)
        return self._result(np.take_along_axis(self._energies(), index, 1).reshape(self.shape))

    def pairwise_energy(self, labels: Array, kernel: int | None = None) -> Array:
        """Each point's pairwise energy in a labelling, of one kernel or of all."""
        index = self._labelling(labels)
        q = np.zeros((self.points, self.labels), np.float32)
        np.put_along_axis(q, index, 1.0, 1)
        chosen = self.kernels if kernel is None else [self.kernels[kernel]]
        energy = np.zeros(self.points, np.float32)
        for one in chosen:
            energy += np.take_along_axis(self._potential(one, q), index, 1)[:, 0]
        return self._result(energy.reshape(self.shape))

    def _potential(self, kernel: crf_ops.Pairwise, q: Floats) -> Floats:
        """What the kernel adds to the energies."""
        filtered = crf_ops.lattice_filter(kernel.lattice, q, kernel.before, threads=self.threads)
        filtered = filtered * -kernel.scale[:, None]
        if kernel.compatibility is not None:
            return filtered @ kernel.compatibility
        return filtered if kernel.label_weights is None else filtered * kernel.label_weights

    def _size(self) -> tuple[int, int]:
        if len(self.shape) != 2:
            raise DeepLabError("a CRF of points has no positions: use pairwise")
        return self.shape

    def _current(self) -> Floats:
        if self._q is None:
            self.start()
        return self._q

    def _energies(self) -> Floats:
        if self._unary is None:
            raise DeepLabError("the CRF has no unary energies yet")
        return self._unary

    def _values(self, name: str, values: Array) -> Floats:
        values = to_numpy(name, values)
        if values.size != self.points * self.labels:
            raise DeepLabError(f"{name}: {values.shape} given, {self.points} x {self.labels} wanted")
        return values.reshape(self.points, self.labels)

    def _labelling(self, labels: Array) -> NDArray[np.int64]:
        index = as_array("labelling", labels).astype(np.int64).reshape(-1, 1)
        if index.size != self.points or index.min() < 0 or index.max() >= self.labels:
            raise DeepLabError(f"labelling: {self.points} labels from 0 to {self.labels - 1} wanted")
        return index

    def _result(self, x: NDArray) -> Array:
        return x if self._numpy else sys.modules["torch"].from_numpy(x)


def image_crf(
    image: Array,
    labels: int,
    *,
    pos_std: float = 3.0,
    pos_w: float = 3.0,
    bi_xy_std: float = 50.0,
    bi_rgb_std: float = 10.0,
    bi_w: float = 5.0,
    threads: int | None = None,
) -> DenseCRF:
    """The CRF of the DeepLab authors' scripts for an RGB image (H, W, 3): a Gaussian and a bilateral kernel.

    Standard deviations are in pixels and in grey levels; a kernel of weight 0 is left out.
    """
    if len(image.shape) != 3:
        raise DeepLabError(f"image: {tuple(image.shape)} given, (height, width, channels) wanted")
    crf = DenseCRF(image.shape[0], image.shape[1], labels, threads=threads)
    if pos_w != 0:
        crf.gaussian(pos_std, pos_w)
    if bi_w != 0:
        crf.bilateral(image, bi_xy_std, bi_rgb_std, bi_w)
    return crf


def energies_of(values: Array, kind: Kind, threads: int | None = None) -> Floats:
    """Unary energies from scores (negated), probabilities (-log; infinity for 0) or energies themselves."""
    x = to_numpy(kind, values)
    if kind == "scores":
        return -x
    if kind == "probabilities":
        if x.size and (x.min() < 0 or x.max() > 1.001):
            raise DeepLabError(f"probabilities: from 0 to 1 wanted, {x.min():g} to {x.max():g} given")
        energies = crf_ops.log(x, threads=threads)
        return np.negative(energies, out=energies)
    if kind != "energies":
        raise DeepLabError(f"kind {kind}: scores, probabilities or energies wanted")
    return x


def refine(
    image: Array,
    scores: Array,
    *,
    kind: Kind = "scores",
    iterations: int = 10,
    pos_std: float = 3.0,
    pos_w: float = 3.0,
    bi_xy_std: float = 50.0,
    bi_rgb_std: float = 10.0,
    bi_w: float = 5.0,
    threads: int | None = None,
) -> Array:
    """Marginals (labels, H, W) of a net's scores (labels, H, W) after refinement along the edges of an image.

    image: RGB (H, W, 3), any numeric type; a batch (N, H, W, 3) goes with scores (N, labels, H, W). kind: of
    `scores`. The other parameters are those of `image_crf`. Raises DeepLabError if sizes do not fit.
    """
    parameters = {
        "pos_std": pos_std,
        "pos_w": pos_w,
        "bi_xy_std": bi_xy_std,
        "bi_rgb_std": bi_rgb_std,
        "bi_w": bi_w,
        "threads": threads,
    }
    if len(scores.shape) == 4:
        if len(image.shape) != 4 or len(image) != len(scores):
            raise DeepLabError(f"images {tuple(image.shape)} for scores {tuple(scores.shape)}")
        results = [
            refine(one, values, kind=kind, iterations=iterations, **parameters)
            for one, values in zip(image, scores, strict=True)
        ]
        return sys.modules["torch"].stack(results) if is_tensor(scores) else np.stack(results)
    if len(scores.shape) != 3:
        raise DeepLabError(f"scores: {tuple(scores.shape)} given, (labels, height, width) wanted")
    crf = image_crf(image, scores.shape[0], **parameters)
    if tuple(scores.shape[1:]) != crf.shape:
        raise DeepLabError(
            f"scores: {scores.shape[1]} x {scores.shape[2]} given, "
            f"the image is {crf.shape[0]} x {crf.shape[1]}"
        )
    marginals = crf.unary(energies_of(scores, kind, threads).transpose(1, 2, 0)).infer(iterations)
    marginals = np.ascontiguousarray(marginals.transpose(2, 0, 1))
    return sys.modules["torch"].from_numpy(marginals) if is_tensor(scores) else marginals
