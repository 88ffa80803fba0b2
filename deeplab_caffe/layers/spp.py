"""SPP: spatial pyramid pooling (He et al. 2014), a fixed number of values from a map of any size."""

from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .abilities import Windowed
from .base import Layer, register
from .parts.window import Window
from .pooling import torch_pool

# Of one axis: bins, window (also its step), padding at the beginning.
Windows = tuple[int, int, int]


@register("SPP")
class SPP(Windowed, Layer):
    """`spp_param { pyramid_height, pool: MAX|AVE }`: level i pools 2^i x 2^i windows that cover the map.

    The levels' values come one after the other, (num, values); a single level stays (num, channels, 1, 1).
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.spp_param
        if not 1 <= self.param.pyramid_height <= 16:
            raise self.error("pyramid_height", f"{self.param.pyramid_height} given, 1 to 16 wanted")
        if self.param.pool == self.param.STOCHASTIC:
            raise self.error("pool", "STOCHASTIC is not implemented, only MAX and AVE")

    def _windows(self, size: int, bins: int) -> Windows:
        window = -(-size // bins)
        pad = (window * bins - size + 1) // 2
        if pad >= window:
            raise self.error("pyramid_height", f"{bins} windows do not fit {size} positions")
        count = -(-(size + 2 * pad - window) // window) + 1
        # As in Pooling: with padding, the last window may not lie wholly beyond the input's end.
        return count - (pad > 0 and (count - 1) * window >= size + pad), window, pad

    def _levels(self, size: Shape) -> list[tuple[Windows, ...]]:
        """The windows of each level, by axis of a map of this size."""
        levels = range(self.param.pyramid_height)
        return [tuple(self._windows(extent, 2**level) for extent in size) for level in levels]

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        num, channels, *size = bottoms[0]
        levels = self._levels(tuple(size))
        if len(levels) == 1:
            return [(num, channels, 1, 1)]
        return [(num, channels * sum(prod(axis[0] for axis in level) for level in levels))]

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """Those of the first level, the whole map."""
        return [Window(size) for size in bottoms[0][2:]]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        pool = ops.max_pool if self.param.pool == self.param.MAX else ops.average_pool
        pooled = []
        for rows, columns in self._levels(bottoms[0].shape[2:]):
            size, window, pad = zip(rows, columns, strict=True)
            y = pool(bottoms[0], size, window, window, pad, threads=self.context.threads)
            pooled.append(y.flatten(1))
        torch.cat(pooled, 1, out=tops[0].view(len(bottoms[0]), -1))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        method = "MAX" if self.param.pool == self.param.MAX else "AVE"
        pooled = []
        for rows, columns in self._levels(bottoms[0].shape[2:]):
            size, window, pad = zip(rows, columns, strict=True)
            pooled.append(torch_pool(method, bottoms[0], size, window, window, pad).flatten(1))
        return [torch.cat(pooled, 1).view(self.shape([tuple(bottoms[0].shape)])[0])]
