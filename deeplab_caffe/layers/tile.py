"""Tile: a blob repeated along one axis."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Tile")
class Tile(Layer):
    """`tile_param { axis, tiles }`."""

    on_device = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        param = self.definition.param.tile_param
        if param.tiles < 1:
            raise self.error("tiles", f"{param.tiles} given, at least 1 wanted")
        top = list(bottoms[0])
        top[self._along(len(top))] *= param.tiles
        return [tuple(top)]

    def _along(self, dims: int) -> int:
        return self.axis("axis", self.definition.param.tile_param.axis, dims)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        x, along = bottoms[0], self._along(bottoms[0].dim())
        parts = tops[0].view(*x.shape[:along], -1, *x.shape[along:])
        parts.copy_(x.unsqueeze(along).expand_as(parts))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        repeats = [1] * bottoms[0].dim()
        repeats[self._along(len(repeats))] = self.definition.param.tile_param.tiles
        return [bottoms[0].repeat(repeats)]
