"""Unpooling: a pooling the other way round, of DeconvNet's fork."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from ..autograd import scatter_last
from ..types import Pair, Shape
from .base import Layer, register
from .parts.fields import pair
from .parts.unpool import places_of


@register("Unpooling")
class Unpooling(Layer):
    """`unpooling_param { unpool: MAX|AVE|TILE, kernel_size, stride (or _h, _w), unpool_size (_h, _w) }`.

    MAX puts each value where the second bottom (a Pooling's mask) says, without one at the start of its
    window. TILE adds it at every place of its window, AVE over the window's size. Without unpool_size the top
    has max((h - 1) * stride + kernel, h * stride + 1) rows.
    """

    on_device = True
    synchronises = True
    bottom_count = (1, 2)

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.unpooling_param
        self.method = param.UnpoolMethod.Name(param.unpool)
        self.kernel = pair(self, param, "kernel_size", least=1)
        self.stride = pair(self, param, "stride", least=1, default=1)
        if any(pair(self, param, "pad", default=0)):
            raise self.error("pad", "none wanted: the original takes none")
        given = param.HasField("unpool_size") or param.HasField("unpool_h") or param.HasField("unpool_w")
        self.size = pair(self, param, "unpool_size", least=1) if given else None

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        values = bottoms[0]
        if len(values) != 4 or any(other != values for other in bottoms[1:]):
            raise self.error("bottom", f"{', '.join(map(str, bottoms))} given, the same 4 dimensions wanted")
        return [(*values[:2], *self._plane(values))]

    def _plane(self, values: Shape) -> Pair:
        if self.size:
            return self.size
        rows, columns = (
            max((values[2 + i] - 1) * self.stride[i] + self.kernel[i], values[2 + i] * self.stride[i] + 1)
            for i in (0, 1)
        )
        return rows, columns

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.formula(bottoms, [])[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        if self.method != "MAX":
            return [self._spread(bottoms[0])]
        size = self._plane(tuple(bottoms[0].shape))
        places = places_of(self, self._mask(bottoms), size)
        top = scatter_last(bottoms[0].flatten(2), places, size[0] * size[1])
        return [top.view(*bottoms[0].shape[:2], *size)]

    def _mask(self, bottoms: list[Tensor]) -> Tensor:
        if len(bottoms) > 1:
            return bottoms[1]
        x = bottoms[0]
        size = self._plane(tuple(x.shape))
        rows, columns = (
            (torch.arange(x.shape[2 + i], device=x.device) * self.stride[i]).clamp(max=size[i] - 1)
            for i in (0, 1)
        )
        return (rows.unsqueeze(1) * size[1] + columns).expand(x.shape)

    def _spread(self, x: Tensor) -> Tensor:
        """Every value at all places of its window, added up in the order of the values."""
        height, width = self._plane(tuple(x.shape))
        if self.method == "AVE":
            x = x / self._areas(x, (height, width))
        reach = [(x.shape[2 + i] - 1) * self.stride[i] + self.kernel[i] for i in (0, 1)]
        weights = x.new_ones(x.shape[1], 1, *self.kernel)
        spread = functional.conv_transpose2d(x, weights, stride=self.stride, groups=x.shape[1])
        ends = max(0, width - reach[1]), max(0, height - reach[0])
        return functional.pad(spread, (0, ends[0], 0, ends[1]))[:, :, :height, :width]

    def _areas(self, x: Tensor, size: Pair) -> Tensor:
        """How many places of each window lie before the end."""
        rows, columns = (
            (torch.arange(x.shape[2 + i], device=x.device) * self.stride[i] + self.kernel[i]).clamp(
                max=size[i]
            )
            - torch.arange(x.shape[2 + i], device=x.device) * self.stride[i]
            for i in (0, 1)
        )
        return (rows.unsqueeze(1) * columns).to(x.dtype)
