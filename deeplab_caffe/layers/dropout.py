"""Dropout: a copy at TEST; at TRAIN zeroes values at random and scales the rest up."""

import torch

from .base import Layer, register


@register("Dropout")
class Dropout(Layer):
    """`dropout_param { dropout_ratio }`: the probability of a zero; `mask` holds the last factors (TRAIN)."""

    in_place = True

    def setup(self) -> None:
        """See Layer."""
        self.ratio = self.definition.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise self.error("dropout_ratio", f"{self.ratio:g} given, 0 <= ratio < 1 wanted")
        self.mask: torch.Tensor | None = None

    def view_of(self, top: int) -> int | None:
        """See Layer."""
        return 0 if self.context.phase == "test" else None

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        if self.context.phase == "test":
            tops[0].copy_(bottoms[0])
            return
        keep = torch.empty_like(bottoms[0]).bernoulli_(1 - self.ratio)
        self.mask = keep.mul_(1 / (1 - self.ratio))
        torch.mul(bottoms[0], self.mask, out=tops[0])
