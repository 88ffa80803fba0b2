"""Energies of labellings and marginals under a dense CRF, computed on the host but for the filters."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .arrays import Array, as_array, to_numpy
from .backend import Backend
from .cpu_ops import Pairwise


class Energy(NamedTuple):
    """A model: unary energies (points, labels) and kernels, as the backend's ops take them."""

    unary: Array
    kernels: Sequence[Pairwise]
    backend: Backend
    threads: int | None = None

    def kl_divergence(self, marginals: Array) -> float:
        """sum q log q + <q, unary> + <q, pairwise(q)> of marginals q, in double precision.

        That is the KL divergence of the model from them but for a constant; pairs are ordered, so each of two
        points counts the other. Raises DeepLabError for another number of marginals.
        """
        unary, q = to_numpy("unary", self.unary), to_numpy("marginals", marginals)
        if q.size != unary.size:
            raise DeepLabError(f"marginals: {q.shape} given, {' x '.join(map(str, unary.shape))} wanted")
        q = q.reshape(unary.shape)
        used = q > 0  # x log x is 0 at 0, and so is the energy of a label that is ruled out.
        total = float((np.log(q[used], dtype=np.float64) * q[used]).sum())
        total += float((unary[used] * q[used].astype(np.float64)).sum())
        for kernel in self.kernels:
            total += float((self._pairwise(kernel, q) * q.astype(np.float64)).sum())
        return total

    def unary_of(self, labelling: Array) -> Floats:
        """Each point's unary energy (points) in a labelling of as many numbers."""
        return np.take_along_axis(to_numpy("unary", self.unary), self._index(labelling), 1)

    def pairwise_of(self, labelling: Array) -> Floats:
        """Each point's pairwise energy (points), of all kernels."""
        index = self._index(labelling)
        points, num_classes = self.unary.shape
        q = np.zeros((points, num_classes), np.float32)
        np.put_along_axis(q, index, 1.0, 1)
        energy = np.zeros(points, np.float32)
        for kernel in self.kernels:
            energy += np.take_along_axis(self._pairwise(kernel, q), index, 1)[:, 0]
        return energy

    def _pairwise(self, kernel: Pairwise, q: Floats) -> Floats:
        """What the kernel adds to the energies (points, labels), given marginals."""
        filtered = self.backend.ops.lattice_filter(
            kernel.lattice, self.backend.array("q", q), kernel.before, threads=self.threads
        )
        potential: Floats = to_numpy("q", filtered) * -to_numpy("scale", kernel.scale)[:, None]
        if kernel.compatibility is not None:
            return potential @ to_numpy("compatibility", kernel.compatibility)
        if kernel.label_weights is None:
            return potential
        return potential * to_numpy("label weights", kernel.label_weights)

    def _index(self, labelling: Array) -> NDArray[np.int64]:
        """The labels as indices (points, 1)."""
        points, num_classes = self.unary.shape
        index = as_array("labelling", labelling).astype(np.int64).reshape(-1, 1)
        if index.size != points or index.min() < 0 or index.max() >= num_classes:
            raise DeepLabError(f"labelling: {points} labels from 0 to {num_classes - 1} wanted")
        return index
