"""MultiStageMeanfield: the dense CRF of CRF-RNN, with learned weights (Zheng et al., 2015)."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..crf.devices import backend_of
from ..crf.filter_autograd import lattice_filter
from ..crf.lattice import Lattice, bilateral_lattice, position_lattice
from ..errors import DeepLabError
from ..types import Shape, plane
from .base import Layer, register
from .parameters.fillers import Identity


@register("MultiStageMeanfield")
class MultiStageMeanfield(Layer):
    """`multi_stage_meanfield_param { num_iterations, theta_alpha, theta_beta, theta_gamma, ... }`.

    Bottoms: scores (N, C, H, W), those the first softmax is taken of (the same, as a rule), image
    (N, 3, H, W). Top: scores; a softmax gives the marginals. Blobs, each (1, 1, C, C): weights of the spatial
    kernel (standard deviation theta_gamma), of the bilateral one (theta_alpha, colours theta_beta), the
    labels' compatibility. An iteration: softmax, both filters over their own sum for 1, weighted and added,
    times the compatibility, taken from the first bottom.

    Without trained weights the kernels' start as spatial_filter_weight and bilateral_filter_weight times the
    identity (the original reads spatial.par and bilateral.par), the compatibility as Potts': minus identity.
    """

    on_device = True
    synchronises = True
    bottom_count = (3, 3)

    @override
    def setup(self) -> None:
        self.param = self.definition.param.multi_stage_meanfield_param
        if self.param.num_iterations < 2:
            raise self.error("num_iterations", f"{self.param.num_iterations} given, more than 1 wanted")
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not getattr(self.param, name) > 0:
                raise self.error(name, f"{getattr(self.param, name):g} given, more than 0 wanted")
        self._spatial: tuple[Shape, str, Lattice] | None = None

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        scores, start, image = bottoms
        if len(scores) != 4 or start != scores:
            raise self.error("bottom", f"scores {scores} and {start}, the same 4 dimensions wanted")
        if image != (scores[0], 3, *scores[2:]):
            raise self.error("bottom", f"image {image}, {(scores[0], 3, *scores[2:])} wanted")
        return [scores]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        labels = bottoms[0][1]
        return [(1, 1, labels, labels)] * 3

    @override
    def fillers(self) -> list[object]:
        return [
            Identity(self.param.spatial_filter_weight),
            Identity(self.param.bilateral_filter_weight),
            Identity(-1),
        ]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Sums in the canonical order of a matrix product."""
        spatial, bilateral, compatibility = (blob.values() for blob in self.blobs)
        threads = self.context.threads

        def product(matrix: Tensor, x: Tensor) -> Tensor:
            weights = matrix.reshape(*matrix.shape[2:], 1, 1).contiguous()
            return ops.atrous_conv(x.contiguous(), weights, threads=threads)

        for number, one in enumerate(zip(*bottoms, strict=True)):
            scores, q, image = (tensor.unsqueeze(0) for tensor in one)
            lattices = self._lattices(image)
            for _ in range(self.param.num_iterations):
                q = ops.softmax(q.contiguous(), 1, threads=threads)
                near, alike = (_filtered(q, lattice) for lattice in lattices)
                message = product(spatial, near) + product(bilateral, alike)
                q = scores - product(compatibility, message)
            tops[0][number].copy_(q[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        dtype = torch.promote_types(bottoms[0].dtype, torch.float32)
        spatial, bilateral, compatibility = (blob.reshape(blob.shape[2:]).to(dtype) for blob in blobs)
        results = []
        for one in zip(*bottoms, strict=True):
            scores, q, image = (tensor.unsqueeze(0).to(dtype) for tensor in one)
            lattices = self._lattices(image.detach())
            for _ in range(self.param.num_iterations):
                q = functional.softmax(q, 1)
                near, alike = (_filtered(q, lattice) for lattice in lattices)
                message = _product(spatial, near) + _product(bilateral, alike)
                q = scores - _product(compatibility, message)
            results.append(q)
        return [torch.cat(results).to(bottoms[0].dtype)]

    def _lattices(self, image: Tensor) -> tuple[Lattice, Lattice]:
        """Of positions, which stays for images of one size, and of an image (1, 3, H, W)."""
        size, backend, threads = plane(image.shape), backend_of(image), self.context.threads
        key = str(image.device)
        try:
            if self._spatial is None or self._spatial[:2] != (size, key):
                lattice = position_lattice(*size, self.param.theta_gamma, threads, backend)
                self._spatial = size, key, lattice
            pixels = image[0].permute(1, 2, 0).float().contiguous()
            alike = bilateral_lattice(
                backend.of_tensor(pixels), self.param.theta_alpha, self.param.theta_beta, threads, backend
            )
        except DeepLabError as error:
            raise self.error("bottom", str(error)) from None
        return self._spatial[2], alike


def _filtered(q: Tensor, lattice: Lattice) -> Tensor:
    """q (1, C, H, W) through the lattice, over what it makes of 1."""
    values = q[0].flatten(1).t()
    return lattice_filter(values, lattice, "after").t().reshape(q.shape)


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", matrix, x)
