"""EuclideanLoss: half the mean squared distance of two blobs."""

from math import prod

import torch

from .base import Layer, Shape, register


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    """Sum of squared differences over 2 * num; added up in float64 and rounded once."""

    bottom_count = (2, 2)

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        if (
            not bottoms[0]
            or not bottoms[1]
            or bottoms[0][0] != bottoms[1][0]
            or prod(bottoms[0]) != prod(bottoms[1])
        ):
            raise self.error("bottom", f"{bottoms[0]} and {bottoms[1]} do not fit")
        return [(1, 1, 1, 1) if self.definition.dialect == "v1" else ()]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        difference = (bottoms[0].flatten() - bottoms[1].flatten()).double()
        tops[0].fill_((difference.square().sum() / len(bottoms[0]) / 2).item())
