"""Dropout: a copy at TEST; at TRAIN zeroes values at random and scales the rest up."""

from zlib import crc32

import torch
from torch import Tensor
from typing_extensions import override

from .abilities import Alias
from .base import Layer, register


@register("Dropout")
class Dropout(Alias, Layer):
    """`dropout_param { dropout_ratio }`: the probability of a zero; `mask` holds the last factors (TRAIN).

    sample_weights_test (Bayesian SegNet): values are dropped in the test phase as in training. scale_train:
    false (R-CNN's fork): no scale in training, 1 - ratio in the test phase.
    """

    on_device = True
    in_place = True

    @override
    def setup(self) -> None:
        self.ratio = self.definition.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise self.error("dropout_ratio", f"{self.ratio:g} given, 0 <= ratio < 1 wanted")
        self.mask: Tensor | None = None
        param = self.definition.param.dropout_param
        self.always: bool = param.sample_weights_test
        self.late = 1.0 if param.scale_train else 1 - self.ratio  # the test phase's factor
        self.scale = 1 / (1 - self.ratio) if param.scale_train else 1.0  # training's

    @property
    def drops(self) -> bool:
        """Whether values are dropped in this phase."""
        return self.always or self.context.phase == "train"

    @override
    def view_of(self, top: int) -> int | None:
        return None if self.drops or self.late != 1 else 0

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        if not self.drops:
            torch.mul(bottoms[0], self.late, out=tops[0])
            return
        torch.mul(bottoms[0], self._draw(bottoms[0]), out=tops[0])

    @override
    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor]:
        return self.forward_train(bottoms)

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        if self.drops:
            return [bottoms[0] * self._draw(bottoms[0])]
        return [bottoms[0] if self.late == 1 else bottoms[0] * self.late]

    def _draw(self, x: Tensor) -> Tensor:
        """The factors of the next forward: they depend on nothing but seed, layer, rank and its number."""
        where = f"{self.name} {self.context.rank} {self.passes}"
        generator = torch.Generator(x.device).manual_seed(
            crc32(where.encode(), self.context.seed & 0xFFFFFFFF)
        )
        self.passes += 1
        keep = torch.empty_like(x).bernoulli_(1 - self.ratio, generator=generator)
        self.mask = keep.mul_(self.scale)
        return self.mask
