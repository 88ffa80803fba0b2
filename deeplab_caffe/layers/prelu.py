"""PReLU: a ReLU whose slope for negative values is a parameter."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("PReLU")
class PReLU(Layer):
    """`prelu_param { channel_shared }`: one slope per channel, or one for all."""

    on_device = True
    in_place = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 2, or_more=True)
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [() if self.definition.param.prelu_param.channel_shared else (bottoms[0][1],)]

    @override
    def fillers(self) -> list[object]:
        param = self.definition.param.prelu_param
        return [param.filler if param.HasField("filler") else 0.25]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        ops.prelu(bottoms[0], self.blobs[0].values(), out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x, slope = bottoms[0], blobs[0].to(bottoms[0].dtype)
        slope = slope.view(-1, *[1] * (x.dim() - 2)) if slope.numel() > 1 else slope
        return [torch.where(x > 0, x, slope * x)]
