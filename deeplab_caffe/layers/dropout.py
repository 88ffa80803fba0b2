"""Dropout: a copy at TEST; at TRAIN zeroes values at random and scales the rest up."""

from zlib import crc32

import torch
from torch import Tensor
from typing_extensions import override

from .abilities import Alias
from .base import Layer, register


@register("Dropout")
class Dropout(Alias, Layer):
    """`dropout_param { dropout_ratio }`: the probability of a zero; `mask` holds the last factors (TRAIN)."""

    on_device = True
    in_place = True

    @override
    def setup(self) -> None:
        self.ratio = self.definition.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise self.error("dropout_ratio", f"{self.ratio:g} given, 0 <= ratio < 1 wanted")
        self.mask: Tensor | None = None

    @override
    def view_of(self, top: int) -> int | None:
        return 0 if self.context.phase == "test" else None

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        if self.context.phase == "test":
            tops[0].copy_(bottoms[0])
            return
        torch.mul(bottoms[0], self._draw(bottoms[0]), out=tops[0])

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        return [bottoms[0] if self.context.phase == "test" else bottoms[0] * self._draw(bottoms[0])]

    def _draw(self, x: Tensor) -> Tensor:
        """The factors of the next forward: they depend on nothing but seed, layer, rank and its number."""
        where = f"{self.name} {self.context.rank} {self.passes}"
        generator = torch.Generator(x.device).manual_seed(
            crc32(where.encode(), self.context.seed & 0xFFFFFFFF)
        )
        self.passes += 1
        keep = torch.empty_like(x).bernoulli_(1 - self.ratio, generator=generator)
        self.mask = keep.mul_(1 / (1 - self.ratio))
        return self.mask
