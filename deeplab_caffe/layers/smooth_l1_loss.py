"""SmoothL1Loss: squares of small differences, absolute values of large ones (Fast R-CNN, Girshick 2015)."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import register
from .parts.loss import LossLayer


@register("SmoothL1Loss")
class SmoothL1Loss(LossLayer):
    """`smooth_l1_loss_param { sigma }`. Bottoms: values, targets, [weights inside, [weights outside]].

    With x = inside * (value - target) the sum over all of outside * f(x), over the number of images: f is
    (sigma x)^2 / 2 where |x| < 1 / sigma^2, else |x| - 1 / (2 sigma^2).
    """

    bottom_count = (2, 4)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        for other in bottoms[2:]:
            if other != bottoms[0]:
                raise self.error("bottom", f"weights {other} given, {bottoms[0]} wanted")
        return super().shape(bottoms[:2])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        values, targets, *weights = bottoms
        square = self.definition.param.smooth_l1_loss_param.sigma**2
        x = values.flatten() - targets.flatten()
        if weights:
            x = x * weights[0].detach().flatten()
        far = x.abs()
        f = torch.where(far < 1 / square, x * x * square / 2, far - 0.5 / square)
        if len(weights) > 1:
            f = f * weights[1].detach().flatten()
        return [self.top(f.double().sum() / len(values), values)]
