"""ArgMax: the best labels of each position."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("ArgMax")
class ArgMax(Layer):
    """`argmax_param { top_k, out_max_val, axis }`; of equal values the one with the highest index wins.

    v1: over the channels; top (num, top_k, height, width), with out_max_val another top_k channels of values.
    v2 with axis: top_k indices, or with out_max_val values, in place of that axis. v2 without axis: over all
    but the first; top (num, 1, top_k), with out_max_val (num, 2, top_k), the values in the second channel.
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.argmax_param
        if self.param.top_k < 1:
            raise self.error("top_k", f"{self.param.top_k} given, at least 1 wanted")
        self.flat = not self.definition.dialect.argmax_keeps_axes and not self.param.HasField("axis")

    def _along(self, dims: int) -> int:
        return self.axis("axis", self.param.axis if self.param.HasField("axis") else 1, dims)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        bottom, top_k = bottoms[0], self.param.top_k
        both = self.param.out_max_val and (self.flat or self.definition.dialect.argmax_appends_values)
        if self.flat:
            count = torch.Size(bottom[1:]).numel()
            top = (bottom[0], 2 if both else 1, top_k) + (1,) * (len(bottom) - 3)
        else:
            along = self._along(len(bottom))
            count = bottom[along]
            top = (*bottom[:along], 2 * top_k if both else top_k, *bottom[along + 1 :])
        if top_k > count:
            raise self.error("top_k", f"{top_k} given, only {count} values to choose from")
        return [top]

    @property
    def finds_best_channel(self) -> bool:
        """Whether the top of an image plane is the best channel's number at each position, no more."""
        only_number = self.param.top_k == 1 and not self.param.out_max_val
        return only_number and not self.flat and self._along(4) == 1

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        x = bottoms[0].flatten(1) if self.flat else bottoms[0]
        along = 1 if self.flat else self._along(x.dim())
        labels, values = ops.argmax(x, along, self.param.top_k, threads=self.context.threads)
        if not self.param.out_max_val:
            tops[0].copy_(labels.view(tops[0].shape))
        elif self.flat or self.definition.dialect.argmax_appends_values:
            tops[0].copy_(torch.cat([labels, values], 1).view(tops[0].shape))
        else:
            tops[0].copy_(values)
