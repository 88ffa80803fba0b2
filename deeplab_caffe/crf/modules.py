"""The dense CRF as torch modules: a mean field whose weights are learned, and a loss. See autograd."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import Unpack, override

from ..deprecation import renamed_attribute, renamed_keywords
from ..errors import DeepLabError
from .autograd import Kernel, dense_crf_loss, mean_field_logits
from .devices import backend_of
from .lattice import Normalization, bilateral_lattice, position_lattice
from .parameters import CRF_AS_RNN, Changes, CRFParameters, Std


class MeanField(torch.nn.Module):
    """A dense CRF behind a net, trained with it (Zheng et al. 2015, CRF-as-RNN).

    Each of the two kernels, position and position with colour, has a weight; `per`: "image" learns one number
    a kernel, "label" one for each label, "matrix" moreover the labels' compatibility, shared by the kernels.
    All start as the Potts model of `pos_w` and `bi_w`, which is what `crf.refine` computes; standard
    deviations are constant. changed: fields of `parameters` to replace, `bi_rgb_std=20`.
    """

    labels = renamed_attribute("num_classes")

    @renamed_keywords(labels="num_classes")
    def __init__(
        self,
        num_classes: int,
        parameters: CRFParameters = CRF_AS_RNN,
        *,
        per: Literal["image", "label", "matrix"] = "matrix",
        normalization: Normalization = "after",
        threads: int | None = None,
        **changed: Unpack[Changes],
    ) -> None:
        super().__init__()
        if num_classes < 1 or per not in ("image", "label", "matrix"):
            raise DeepLabError(
                f"MeanField: {num_classes} labels, weights per {per}: 1 or more, image|label|matrix"
            )
        self.num_classes, self.crf = num_classes, replace(parameters, **changed)
        self.normalization, self.threads = normalization, threads
        shape = () if per == "image" else (num_classes,)
        self.pos_w = torch.nn.Parameter(torch.full(shape, float(self.crf.pos_w)))
        self.bi_w = torch.nn.Parameter(torch.full(shape, float(self.crf.bi_w)))
        # Penalties [from, to]: Potts' model is minus the identity, since it supports equal labels.
        self.compatibility = torch.nn.Parameter(-torch.eye(num_classes)) if per == "matrix" else None

    @override
    def forward(self, images: Tensor, scores: Tensor) -> Tensor:
        """Logits (N, labels, H, W) of images (N, H, W, channels) and a net's scores (N, labels, H, W).

        Raises DeepLabError for sizes that do not fit.
        """
        _check_batch(images, scores)
        if scores.shape[1] != self.num_classes:
            raise DeepLabError(f"MeanField: scores of {scores.shape[1]} labels, {self.num_classes} wanted")
        return torch.stack([self._one(*pair) for pair in zip(images, scores, strict=True)])

    def _one(self, image: Tensor, scores: Tensor) -> Tensor:
        num_classes, height, width = scores.shape
        backend = backend_of(scores)
        fixed = self.crf
        position = position_lattice(height, width, fixed.pos_std, self.threads, backend)
        bilateral = bilateral_lattice(image, fixed.bi_xy_std, fixed.bi_rgb_std, self.threads, backend)
        weights: list[Tensor] = [self.pos_w, self.bi_w]
        if self.compatibility is not None:
            weights = [weight[:, None] * self.compatibility for weight in weights]
        kernels = [
            Kernel(lattice, weight, self.normalization)
            for lattice, weight in zip((position, bilateral), weights, strict=True)
        ]
        energies = -scores.reshape(num_classes, -1).T
        logits = mean_field_logits(energies, kernels, fixed.iterations, threads=self.threads)
        return logits.T.reshape(scores.shape)


class DenseCRFLoss(torch.nn.Module):
    """The mean over a batch of `dense_crf_loss` with a bilateral kernel, times `weight`.

    Tang et al. take it at half the resolution, with `xy_std` 100 (of full size) and `rgb_std` 15, beside a
    cross entropy of the labelled pixels; weights are small (2e-9) as the energy of `none` is a sum over
    pairs.
    """

    def __init__(
        self,
        *,
        xy_std: Std = 100.0,
        rgb_std: Std = 15.0,
        weight: float = 1.0,
        normalization: Normalization = "none",
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.xy_std, self.rgb_std, self.weight = xy_std, rgb_std, weight
        self.normalization, self.threads = normalization, threads

    @override
    def forward(self, images: Tensor, probabilities: Tensor, masks: Tensor | None = None) -> Tensor:
        """A number, of images (N, H, W, channels), probabilities (N, labels, H, W) and masks (N, H, W)."""
        _check_batch(images, probabilities)
        if masks is not None and masks.shape != (len(images), *images.shape[1:3]):
            raise DeepLabError(
                f"DenseCRFLoss: masks {tuple(masks.shape)} given, the images are {tuple(images.shape)}"
            )
        losses = []
        for number, (image, one) in enumerate(zip(images, probabilities, strict=True)):
            lattice = bilateral_lattice(image, self.xy_std, self.rgb_std, self.threads, backend_of(one))
            mask = None if masks is None else masks[number]
            losses.append(dense_crf_loss(one.flatten(1).T, lattice, mask, self.normalization))
        return self.weight * torch.stack(losses).mean()


def _check_batch(images: Tensor, scores: Tensor) -> None:
    fits = images.dim() == scores.dim() == 4 and len(images) == len(scores) > 0
    if not fits or images.shape[1:3] != scores.shape[2:]:
        raise DeepLabError(
            f"images {tuple(images.shape)} and scores {tuple(scores.shape)} given, "
            "(N, height, width, channels) and (N, labels, height, width) wanted"
        )
