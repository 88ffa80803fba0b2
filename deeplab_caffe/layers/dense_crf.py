"""DenseCRF: refines scores along the edges of the input image."""

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..crf.arrays import Arrays
from ..crf.dense_crf import DenseCRF as Model
from ..crf.devices import backend_of
from ..errors import DeepLabError
from ..types import Pair, Shape
from .base import Layer, register

FLT_MIN = torch.finfo(torch.float32).tiny


@register("DenseCRF")
class DenseCRF(Layer):
    """Bottoms: scores (N, C, H, W), data_dim (N, 1, 1, 2): height and width used, [data]. Top: as the scores.

    The top holds marginals, 0 outside of height x width; with v2's `output_probability: false` their
    logarithms. Energies are -log(softmax(scores)) in v1, -scores in v2. Kernels: one Gaussian for each pair
    pos_xy_std, pos_w; one bilateral for each triple bi_xy_std, bi_rgb_std, bi_w, if there is a data bottom.
    """

    bottom_count = (2, 3)
    on_device = True
    synchronises = True

    @override
    def setup(self) -> None:
        """Reads and checks the fields."""
        param = self.definition.param.dense_crf_param
        self.iterations = param.max_iter
        self.at_least("dense_crf_param.max_iter", self.iterations, 0)
        self.gaussians = self._kernels(param, "pos_w", "pos_xy_std")
        self.bilaterals = self._kernels(param, "bi_w", "bi_xy_std", "bi_rgb_std")
        if len(self.definition.bottoms) < 3:
            self.bilaterals = []
        dialect = self.definition.dialect
        self.reads_softmax = dialect.crf_reads_softmax
        self.probability = dialect.crf_gives_marginals or param.output_probability

    def _kernels(self, param: object, *fields: str) -> list[tuple[float, ...]]:
        lists = [list(getattr(param, field)) for field in fields]
        for field, values in zip(fields[1:], lists[1:], strict=True):
            if len(values) != len(lists[0]):
                raise self.error(
                    f"dense_crf_param.{field}", f"{len(values)} given for {len(lists[0])} {fields[0]}"
                )
            if any(not value > 0 for value in values):
                raise self.error(f"dense_crf_param.{field}", f"{min(values):g} given, more than 0 wanted")
        return list(zip(*lists, strict=True))

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """That of the scores."""
        scores, dims = bottoms[:2]
        if len(scores) != 4 or dims != (scores[0], 1, 1, 2):
            raise self.error("bottom", f"scores {scores} and data_dim {dims} do not fit")
        for data in bottoms[2:]:
            if len(data) != 4 or data[0] != scores[0] or data[2:] != scores[2:]:
                raise self.error("bottom", f"scores {scores} and data {data} do not fit")
        return [scores]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """One CRF an image; on a GPU one for all of them."""
        scores, dims = bottoms[:2]
        threads = self.context.threads
        result = torch.zeros_like(scores)
        if self.reads_softmax:
            scores = ops.log(ops.softmax(scores, 1, threads=threads), threads=threads)
        sizes = [(int(height), int(width)) for height, width in dims.flatten(1).tolist()]
        for height, width in sizes:
            if not (1 <= height <= scores.shape[2] and 1 <= width <= scores.shape[3]):
                raise self.error(
                    "bottom", f"data_dim {height} x {width} for scores {scores.shape[2]} x {scores.shape[3]}"
                )
        energies = [-one for one in _crops(scores, sizes)]
        images: list[Any] = _crops(bottoms[2], sizes) if self.bilaterals else [None] * len(sizes)
        try:
            if (backend := backend_of(scores)).takes_images:
                model = Model.of_images(sizes, scores.shape[1], device=backend)
                marginals = model.split(self._infer(model, energies, images))
            else:
                marginals = [
                    self._infer(Model(*one.shape, threads=threads), one, image)
                    for one, image in zip(energies, images, strict=True)
                ]
        except DeepLabError as error:
            raise self.error("bottom", str(error)) from None
        for target, one, (height, width) in zip(result, marginals, sizes, strict=True):
            if not self.probability:
                one = ops.log(one.clamp(min=FLT_MIN), threads=threads)
            target[:, :height, :width] = one.permute(2, 0, 1)
        tops[0].copy_(result)

    def _infer(self, model: Model, energies: Arrays, image: Arrays) -> Tensor:
        """Marginals of energies (height, width, labels)."""
        model.unary(energies)
        for weight, std in self.gaussians:
            model.gaussian(std, weight)
        for weight, xy_std, rgb_std in self.bilaterals:
            model.bilateral(image, xy_std, rgb_std, weight)
        return model.infer(self.iterations)


def _crops(maps: Tensor, sizes: list[Pair]) -> list[Tensor]:
    """The top left part of each map (channels, H, W), as (height, width, channels)."""
    return [one[:, :h, :w].permute(1, 2, 0) for one, (h, w) in zip(maps, sizes, strict=True)]
