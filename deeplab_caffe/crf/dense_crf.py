"""The fully connected CRF of Kraehenbuehl and Koltun (2011) with mean-field inference.

The arithmetic is that of the program the DeepLab authors post-processed with, to the last bit (`true_exp`
chooses a true exponential instead of its approximate one, as the 2013 library has it). Energies are unary
potentials, -log of probabilities up to a constant. Standard deviations are in pixels and the image's units.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ..deprecation import renamed_attribute, renamed_keywords
from ..errors import DeepLabError
from ..types import Pair, Shape
from .arrays import Array, Arrays, is_tensor
from .cpu_ops import Pairwise
from .devices import Device, backend_for
from .lattice import Lattice, Normalization, bilateral_lattice_of_images, position_lattice_of_images
from .model_energy import Energy
from .pairwise import pairwise_of
from .parameters import Std, check_iterations


class Iteration(NamedTuple):
    """The state after an iteration: its number (0: the start), marginals, `kl_divergence` of them."""

    iteration: int
    marginals: Array
    kl: float


class DenseCRF:
    """A CRF over an image's pixels, or any points, in which every pair interacts through Gaussian kernels.

    Add energies and kernels, then `infer`. Lattices are built when a kernel is added and stay: give `unary`
    other energies for the next inference on the same image.

    num_classes: how many labels there are. true_exp: a true exponential; and features that are too large for
    the original's 16-bit lattice coordinates get wider ones, on the CPU, with a warning, where they are an
    error otherwise. threads: CPU threads, None for torch's own setting. device: where
    it computes, "cpu" or "cuda"; on a GPU arrays and results are tensors there (results of numpy energies are
    numpy arrays). Raises DeepLabError for sizes below 1.
    """

    @renamed_keywords(labels="num_classes")
    def __init__(
        self,
        height: int,
        width: int,
        num_classes: int,
        *,
        true_exp: bool = False,
        threads: int | None = None,
        device: Device = None,
    ) -> None:
        self._setup((height, width), num_classes, true_exp, threads, device)
        self.sizes.append((height, width))

    @classmethod
    @renamed_keywords(labels="num_classes")
    def of_points(
        cls,
        points: int,
        num_classes: int,
        *,
        true_exp: bool = False,
        threads: int | None = None,
        device: Device = None,
    ) -> "DenseCRF":
        """A CRF over `points` points without the order of an image; kernels come from `pairwise`."""
        crf = cls.__new__(cls)
        crf._setup((points,), num_classes, true_exp, threads, device)
        return crf

    @classmethod
    @renamed_keywords(labels="num_classes")
    def of_images(
        cls,
        sizes: Sequence[Pair],
        num_classes: int,
        *,
        true_exp: bool = False,
        device: Device = "cuda",
    ) -> "DenseCRF":
        """A CRF on a GPU over the pixels of several images of (height, width), which are inferred together.

        Each gets the marginals that it would get alone. `bilateral` takes a list of images, `unary` a list of
        energies (height, width, labels) or all points' (points, labels); results are (points, labels), or by
        image with `split`.
        """
        backend = backend_for(device)
        if not backend.takes_images:
            raise DeepLabError("a CRF over several images computes on a GPU: device cuda wanted")
        if not sizes or min(min(size) for size in sizes) < 1:
            raise DeepLabError(f"CRF over images of {list(sizes)}: 1 x 1 or more wanted")
        crf = cls.of_points(sum(h * w for h, w in sizes), num_classes, true_exp=true_exp, device=backend)
        crf.sizes, crf._several = [(height, width) for height, width in sizes], True
        return crf

    def _setup(
        self, shape: Shape, num_classes: int, true_exp: bool, threads: int | None, device: Device
    ) -> None:
        if min(shape) < 1 or num_classes < 1:
            raise DeepLabError(
                f"CRF over {' x '.join(map(str, shape))} points with {num_classes} labels: 1 or more wanted"
            )
        self.shape, self.num_classes, self.true_exp, self.threads = shape, num_classes, true_exp, threads
        self.backend = backend_for(device)
        self.points = math.prod(shape)
        self.sizes: list[Pair] = []  # of the images
        self.kernels: list[Pairwise] = []
        self._unary: Array | None = None
        self._q: Array | None = None
        self._numpy = self._several = False

    def __copy__(self) -> "DenseCRF":
        """Another CRF with the same lattices; kernels and energies may be added to either."""
        copy = type(self).__new__(type(self))
        vars(copy).update(vars(self))
        copy.kernels, copy.sizes = list(self.kernels), list(self.sizes)
        copy._q = None if self._q is None else self.backend.copy(self._q)
        return copy

    labels = renamed_attribute("num_classes")

    @property
    def device(self) -> Any:
        """The torch.device of the GPU where it computes; None for the CPU."""
        return self.backend.device

    def unary(self, energy: Arrays) -> "DenseCRF":
        """Sets the energies, (height, width, labels) or (points, labels); plus infinity rules a label out.

        Raises DeepLabError for another shape.
        """
        if self._several and isinstance(energy, list | tuple):
            self._numpy = not is_tensor(energy[0])
            energies = [self.backend.array("unary", one).reshape(-1, self.num_classes) for one in energy]
            if (given := sum(map(len, energies))) != self.points:
                raise DeepLabError(f"unary: energies of {given} points, {self.points} wanted")
            self._unary, self._q = self.backend.joined(energies), None
            return self
        self._numpy = not is_tensor(energy)
        energy = self.backend.array("unary", energy)
        if tuple(energy.shape) not in {(*self.shape, self.num_classes), (self.points, self.num_classes)}:
            wanted = " x ".join(map(str, (*self.shape, self.num_classes)))
            raise DeepLabError(f"unary: {' x '.join(map(str, energy.shape))} energies given, {wanted} wanted")
        self._unary, self._q = self.backend.rows(energy.reshape(self.points, self.num_classes)), None
        return self

    def gaussian(
        self,
        std: Std,
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over positions; std in pixels, one number or (x, y). See `add`."""
        lattice = position_lattice_of_images(
            self._sizes(), std, self.threads, self.backend, wide_keys=self.true_exp
        )
        return self.add(lattice, weight, compatibility, normalization)

    def bilateral(
        self,
        image: Arrays,
        xy_std: Std,
        rgb_std: Std,
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over positions and the channels of an image (H, W, C) of any type. See `add`."""
        images = image if isinstance(image, list | tuple) else [image]
        sizes = self._sizes()
        if [tuple(one.shape[:2]) for one in images] != sizes:
            given = ", ".join(" x ".join(map(str, one.shape)) for one in images)
            wanted = ", ".join(f"{height} x {width}" for height, width in sizes)
            raise DeepLabError(f"image: {given} given, the CRF is {wanted}")
        lattice = bilateral_lattice_of_images(
            images, xy_std, rgb_std, self.threads, self.backend, wide_keys=self.true_exp
        )
        return self.add(lattice, weight, compatibility, normalization)

    def pairwise(
        self,
        features: Array,
        weight: float,
        compatibility: Array | None = None,
        normalization: Normalization = "after",
    ) -> "DenseCRF":
        """Adds a kernel over features (points, d) or (H, W, d), in units of its deviation. See `add`."""
        features = self.backend.array("features", features)
        if features.ndim < 2 or tuple(features.shape[:-1]) not in {self.shape, (self.points,)}:
            raise DeepLabError(f"features: {tuple(features.shape)} given, ({self.points}, d) wanted")
        planes = features.reshape(self.points, -1).T
        counts = [height * width for height, width in self.sizes] or None
        lattice = Lattice(planes, self.threads, self.backend, counts, wide_keys=self.true_exp)
        return self.add(lattice, weight, compatibility, normalization)

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
        if lattice.device != self.device:
            raise DeepLabError(f"a lattice on {lattice.backend}, the CRF is on {self.backend}")
        if lattice.points != self.points:
            raise DeepLabError(f"a kernel over {lattice.points} points, the CRF has {self.points}")
        self.kernels.append(pairwise_of(lattice, weight, compatibility, normalization, self.num_classes))
        return self

    def start(self) -> "DenseCRF":
        """Begins inference: marginals become softmax(-unary). DeepLabError for energies such as NaN."""
        self._q = self.backend.ops.mean_field_start(self._given(), self.true_exp, threads=self.threads)
        return self

    def step(self, iterations: int = 1) -> "DenseCRF":
        """Mean-field iterations, beginning with `start` if there is none yet."""
        check_iterations(iterations)
        if not (iterations and self.kernels):
            return self if self._q is not None else self.start()
        if self._q is None:
            self._q = self.backend.ops.mean_field(
                self.kernels, self._given(), iterations, self.true_exp, threads=self.threads
            )
        else:
            self._q = self.backend.ops.mean_field_iterate(
                self.kernels, self._unary, self._q, iterations, self.true_exp, threads=self.threads
            )
        return self

    def advance(self, marginals: Array, iterations: int = 1) -> Array:
        """These marginals (points, labels) after iterations; the CRF's own stay. Like them, on its device."""
        check_iterations(iterations)
        q = self.backend.array("marginals", marginals).reshape(self.points, self.num_classes)
        return self.backend.ops.mean_field_iterate(
            self.kernels, self._given(), self.backend.copy(q), iterations, self.true_exp, threads=self.threads
        )

    def infer(self, iterations: int = 10) -> Array:
        """Marginals (height, width, labels) or (points, labels) after that many iterations from the start."""
        self._q = None
        return self.step(iterations).marginals

    def steps(self, iterations: int = 10) -> Iterator[Iteration]:
        """Inference step by step: the start and every iteration, with copies of the marginals and the KL."""
        check_iterations(iterations)
        self.start()
        for iteration in range(iterations + 1):
            if iteration:
                self.step()
            copy = self.backend.copy(self._current()).reshape(*self.shape, self.num_classes)
            yield Iteration(iteration, self._result(copy), self.kl_divergence())

    def split(self, x: Array) -> list[Array]:
        """Marginals or labels of all points as those of each image, (height, width, ...)."""
        ends = list(accumulate(height * width for height, width in self.sizes))
        parts = (x[first:end] for first, end in zip([0, *ends], ends, strict=False))
        return [part.reshape(*size, *x.shape[1:]) for part, size in zip(parts, self.sizes, strict=True)]

    @property
    def marginals(self) -> Array:
        """The current marginals; the next `step` overwrites them."""
        return self._result(self._current().reshape(*self.shape, self.num_classes))

    def map(self) -> Array:
        """Maximum a posteriori: the most probable label (the lowest of equals) of each point, int16."""
        labels = self.backend.ops.best_labels(self._current(), threads=self.threads)
        return self._result(labels.reshape(self.shape))

    def kl_divergence(self, marginals: Array | None = None) -> float:
        """KL divergence of the model from these (or the current) marginals, but for a constant."""
        return self._energy().kl_divergence(self._current() if marginals is None else marginals)

    def unary_energy(self, labels: Array) -> Array:
        """Each point's unary energy in a labelling (height, width) or (points)."""
        return self._result(self._energy().unary_of(labels).reshape(self.shape))

    def pairwise_energy(self, labels: Array, kernel: int | None = None) -> Array:
        """Each point's pairwise energy in a labelling, of one kernel or of all."""
        return self._result(self._energy(kernel).pairwise_of(labels).reshape(self.shape))

    def _energy(self, kernel: int | None = None) -> Energy:
        kernels = self.kernels if kernel is None else [self.kernels[kernel]]
        return Energy(self._given(), kernels, self.backend, self.threads)

    def _sizes(self) -> list[tuple[int, int]]:
        if not self.sizes:
            raise DeepLabError("a CRF of points has no positions: use pairwise")
        return self.sizes

    def _current(self) -> Array:
        if self._q is None:
            self.start()
        return self._q

    def _given(self) -> Array:
        if self._unary is None:
            raise DeepLabError("the CRF has no unary energies yet")
        return self._unary

    def _result(self, x: Array) -> Array:
        return self.backend.result(x, self._numpy)
