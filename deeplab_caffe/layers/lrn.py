"""LRN: local response normalisation, over neighbouring channels or positions."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..types import Shape, plane
from .abilities import Windowed
from .base import Layer, register
from .parts.window import Window


@register("LRN")
class LRN(Windowed, Layer):
    """`lrn_param { local_size, alpha, beta, norm_region, k }`.

    ACROSS_CHANNELS: x * (k + alpha/n * sum of squares over n channels) ^ -beta.
    WITHIN_CHANNEL: x * (1 + alpha * average of squares over n x n positions) ^ -beta.
    """

    @override
    def setup(self) -> None:
        self.param = self.definition.param.lrn_param
        size = self.param.local_size
        if size % 2 == 0 or size >= 2**31:
            raise self.error("local_size", f"{size} given, an odd number wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        return [bottoms[0]]

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        size = self.param.local_size
        within = self.param.norm_region == self.param.WITHIN_CHANNEL
        return [Window(size, pad=size // 2)] * 2 if within else []

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        across = self.param.norm_region == self.param.ACROSS_CHANNELS
        base = self._across(bottoms[0]) if across else self._within(bottoms[0])
        torch.mul(bottoms[0], ops.power(base, -self.param.beta, threads=self.context.threads), out=tops[0])

    def _across(self, x: Tensor) -> Tensor:
        """Channel by channel: the entering square is added, the leaving one taken away (fused)."""
        channels, half = x.shape[1], self.param.local_size // 2
        squares = (x * x).unbind(1)
        alpha = (torch.tensor(self.param.alpha) / self.param.local_size).item()
        total = torch.full_like(squares[0], self.param.k)
        for entering in squares[:half]:
            total = self._add(total, entering, alpha)
        sums = []
        for c in range(channels):
            if c + half < channels:
                total = self._add(total, squares[c + half], alpha)
            if c - half - 1 >= 0:
                total = self._add(total, squares[c - half - 1], -alpha)
            sums.append(total)
        return torch.stack(sums, 1)

    def _add(self, total: Tensor, square: Tensor, factor: float) -> Tensor:
        return ops.eltwise("sum", [total, square], [1.0, factor], threads=self.context.threads)

    def _within(self, x: Tensor) -> Tensor:
        size = self.param.local_size
        squares = ops.power(x, 2.0, threads=self.context.threads)
        window = (size, size), (1, 1), (size // 2, size // 2)
        average = ops.average_pool(squares, plane(x.shape), *window, threads=self.context.threads)
        return average * self.param.alpha + 1

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x, size, alpha, beta = bottoms[0], self.param.local_size, self.param.alpha, self.param.beta
        if self.param.norm_region == self.param.ACROSS_CHANNELS:
            return [functional.local_response_norm(x, size, alpha, beta, self.param.k)]
        average = functional.avg_pool2d(x * x, size, 1, size // 2)
        return [x * (1 + alpha * average) ** -beta]
