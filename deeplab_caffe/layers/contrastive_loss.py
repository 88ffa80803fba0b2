"""ContrastiveLoss: pairs of features, near each other where they are alike and a margin apart where not."""

from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import register
from .parts.loss import LossLayer


@register("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """`contrastive_loss_param { margin, legacy_version }`; bottoms: two of (num, channels), similar (num).

    A pair counts distance^2 where `similar` is not 0, else max(0, margin - distance)^2, or
    max(0, margin - distance^2) with legacy_version; the sum is divided by 2 * num.
    """

    bottom_count = (3, 3)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        top = super().shape(bottoms[:2])
        first, second, similar = bottoms
        if first != second or prod(first[2:]) != 1 or prod(similar) != first[0]:
            raise self.error("bottom", f"{first}, {second} and {similar} do not fit")
        return top

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        param = self.definition.param.contrastive_loss_param
        squared = (bottoms[0] - bottoms[1]).flatten(1).double().square().sum(1)
        if param.legacy_version:
            apart = (param.margin - squared).clamp(min=0)
        else:
            # The little keeps the root's slope finite where two features are equal.
            apart = (param.margin - (squared + 1e-300).sqrt()).clamp(min=0).square()
        similar = bottoms[2].flatten().trunc() != 0
        return [self.top(torch.where(similar, squared, apart).sum() / len(similar) / 2, bottoms[0])]
