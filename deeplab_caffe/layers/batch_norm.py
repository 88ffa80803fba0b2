"""BatchNorm: values less their channel's mean, over their deviation."""

from typing import Any

import torch

from .. import ops
from .base import Layer, Shape, register


@register("BatchNorm")
class BatchNorm(Layer):
    """`batch_norm_param { use_global_stats, eps }`; blobs: sums of means, of variances, and their divisor.

    With use_global_stats (the default in the test phase) the statistics are the stored ones, else those of
    the batch.
    """

    in_place = True

    def setup(self) -> None:
        """See Layer."""
        param = self.definition.param.batch_norm_param
        self.eps: float = param.eps
        self.stored: bool = self.context.phase == "test"
        if param.HasField("use_global_stats"):
            self.stored = param.use_global_stats
        self._versions: tuple[int, ...] = ()

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        if len(bottoms[0]) < 2:
            raise self.error("bottom", f"{bottoms[0]} given, at least 2 dimensions wanted")
        return [bottoms[0]]

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        channels = bottoms[0][1]
        return [(channels,), (channels,), (1,)]

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The stored mean and deviation (channels), in the original's roundings."""
        versions = tuple(blob.version for blob in self.blobs)
        if versions != self._versions:
            mean, variance, divisor = (blob.values() for blob in self.blobs)
            factor = torch.zeros(()) if divisor.item() == 0 else 1 / divisor[0]
            self._statistics = mean * factor, self._deviation(variance * factor)
            self._versions = versions
        return self._statistics

    def _deviation(self, variance: torch.Tensor) -> torch.Tensor:
        return ops.power(variance + self.eps, 0.5)

    def can_be_epilogue(self) -> bool:
        """See Layer: with stored statistics only, those of the batch need all of it."""
        return self.stored

    def epilogue(self, bottom: int, others: list[torch.Tensor]) -> list[tuple[Any, ...]]:
        """See Layer."""
        return [("batch_norm", *self.statistics())]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        x = bottoms[0]
        if self.stored:
            mean, deviation = self.statistics()
        else:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            variance, mean = torch.var_mean(x.double(), axes, correction=0)
            mean, deviation = mean.float(), self._deviation(variance.float())
        ops.batch_norm(x, mean, deviation, out=tops[0], threads=self.context.threads)

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        if not self.stored:
            return None
        x = bottoms[0]
        sides = (-1, *[1] * (x.dim() - 2))
        mean, deviation = (t.view(sides) for t in self.statistics())
        factor = 1 / deviation
        return [torch.addcmul((-mean * factor).to(x.dtype), x, factor.to(x.dtype))]
