"""Shared by the losses that are one number."""

from abc import abstractmethod
from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from ...types import Shape
from ..base import Layer


class LossLayer(Layer):
    """A layer with two bottoms of the same batch; added up in float64 and rounded once."""

    bottom_count = (2, 2)
    loss = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        first, second = bottoms
        if not first or not second or first[0] != second[0] or prod(second) != self.partner_count(first):
            raise self.error("bottom", f"{first} and {second} do not fit")
        return [self.definition.dialect.top_shape()]

    def partner_count(self, first: Shape) -> int:
        """How many values the second bottom has, if the first has this shape."""
        return prod(first)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.formula(bottoms, [])[0])

    @abstractmethod
    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        """The loss, by `top`, in torch's differentiable operators."""

    def top(self, loss: Tensor, scores: Tensor) -> Tensor:
        """The loss in the shape of the top, float32 or the scores' own type where that is finer."""
        dtype = torch.promote_types(scores.dtype, torch.float32)
        return loss.to(dtype).view(self.definition.dialect.top_shape())


class SumLossLayer(LossLayer):
    """A loss that is a sum over the batch, divided by the number of images."""

    @abstractmethod
    def total(self, x: Tensor, partner: Tensor) -> Tensor:
        """The sum over the batch; both are float64 (num, values of an image).

        A further bottom comes as it is, without a gradient.
        """

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x, partner = (x.flatten(1).double() if x.dim() > 1 else x.double() for x in bottoms[:2])
        others = (bottom.detach() for bottom in bottoms[2:])
        return [self.top(self.total(x, partner, *others) / len(x), bottoms[0])]


class LabelLossLayer(SumLossLayer):
    """A loss of which the second bottom is one label per image."""

    @override
    def partner_count(self, first: Shape) -> int:
        return first[0]

    def labels(self, x: Tensor, partner: Tensor) -> Tensor:
        """The labels as indices (num, 1) into the values of each image."""
        if not ((partner >= 0) & (partner < x.shape[1])).all():
            raise self.error("bottom", f"a label out of 0 to {x.shape[1] - 1}")
        return partner.long().view(-1, 1)
