"""Tile: a blob repeated along one axis."""

import torch

from ..types import Shape
from .base import Layer, register


@register("Tile")
class Tile(Layer):
    """`tile_param { axis, tiles }`."""

    on_device = True

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        param = self.definition.param.tile_param
        if param.tiles < 1:
            raise self.error("tiles", f"{param.tiles} given, at least 1 wanted")
        self.along = self.axis("axis", param.axis, len(bottoms[0]))
        top = list(bottoms[0])
        top[self.along] *= param.tiles
        return [tuple(top)]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        x = bottoms[0]
        parts = tops[0].view(*x.shape[: self.along], -1, *x.shape[self.along :])
        parts.copy_(x.unsqueeze(self.along).expand_as(parts))

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        repeats = [1] * bottoms[0].dim()
        repeats[self.along] = self.definition.param.tile_param.tiles
        return [bottoms[0].repeat(repeats)]
