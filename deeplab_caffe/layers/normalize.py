"""Normalize: each position over the norm of its channels, then times a scale, of SSD's fork."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Normalize")
class Normalize(Layer):
    """`norm_param { across_spatial, channel_shared, scale_filler, eps }`: bottom (N, C, H, W).

    The norm is sqrt(sum of squares + eps) over the channels of a position, across_spatial (the default) over
    all values of an image. Blob: one scale for each channel, channel_shared (the default) for all. Liu et
    al., "ParseNet" (2015), section 3.
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.norm_param

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [() if self.param.channel_shared else (bottoms[0][1],)]

    @override
    def fillers(self) -> list[object]:
        return [self.param.scale_filler if self.param.HasField("scale_filler") else 1.0]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """The sum of squares in float64, rounded once."""
        x = bottoms[0]
        total = x.double().square().sum(self._axes, keepdim=True).float()
        normal = x / (total + self.param.eps).sqrt()
        torch.mul(normal, self.blobs[0].values().view(-1, 1, 1), out=tops[0])

    @property
    def _axes(self) -> tuple[int, ...]:
        return (1, 2, 3) if self.param.across_spatial else (1,)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        dtype = torch.promote_types(bottoms[0].dtype, torch.float32)
        x = bottoms[0].to(dtype)
        norm = (x.square().sum(self._axes, keepdim=True) + self.param.eps).sqrt()
        return [(x / norm * blobs[0].to(dtype).view(-1, 1, 1)).to(bottoms[0].dtype)]
