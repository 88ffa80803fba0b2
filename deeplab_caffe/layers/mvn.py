"""MVN: mean and variance normalisation of each plane."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("MVN")
class MVN(Layer):
    """`mvn_param { normalize_variance, across_channels, eps }`: (x - mean) / (deviation + eps).

    Mean and variance are those of a channel of an image, or with across_channels of an image; added up in
    float64 and rounded once.
    """

    in_place = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 2, or_more=True)
        return [bottoms[0]]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        param = self.definition.param.mvn_param
        rows = bottoms[0].flatten(1 if param.across_channels else 2)
        if rows.dim() == (2 if not param.across_channels else 1):
            rows = rows.unsqueeze(-1)
        variance, mean = torch.var_mean(rows.double(), -1, keepdim=True, correction=0)
        y = rows - mean.float()
        if param.normalize_variance:
            y /= variance.sqrt().float() + param.eps
        tops[0].copy_(y.view(tops[0].shape))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        param = self.definition.param.mvn_param
        x = bottoms[0].flatten(1 if param.across_channels else 2)
        x = x.unsqueeze(-1) if x.dim() == (1 if param.across_channels else 2) else x
        y = x - x.mean(-1, keepdim=True)
        if param.normalize_variance:
            # The little keeps the root's slope finite where a plane is constant.
            y = y / ((y.square().mean(-1, keepdim=True) + 1e-30).sqrt() + param.eps)
        return [y.view(bottoms[0].shape)]
