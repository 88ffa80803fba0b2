"""BatchNorm: values less their channel's mean, over its standard deviation."""

from collections.abc import Hashable

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .abilities import Epilogue, Fused, Fusing
from .base import Layer, register
from .relu import ReLU
from .scale import Scale


@register("BatchNorm")
class BatchNorm(Epilogue, Fusing):
    """`batch_norm_param { use_global_stats, eps }`; blobs: sums of means, of variances, and their divisor.

    With use_global_stats (the default in the test phase) the statistics are the stored ones, else those of
    the batch.
    """

    on_device = True
    in_place = True
    learns = False

    @override
    def setup(self) -> None:
        param = self.definition.param.batch_norm_param
        self.eps: float = param.eps
        self._always: bool | None = param.use_global_stats if param.HasField("use_global_stats") else None
        self._versions: tuple[Hashable, ...] = ()

    @property
    def stored(self) -> bool:
        """Whether the stored statistics count, not the batch's."""
        return self.context.phase == "test" if self._always is None else self._always

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 2, or_more=True)
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        channels = bottoms[0][1]
        return [(channels,), (channels,), (1,)]

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The stored mean and standard deviation (channels), in the original's roundings."""
        versions = tuple(blob.version for blob in self.blobs)
        if versions != self._versions:
            mean, variance, divisor = (blob.values().cpu() for blob in self.blobs)
            factor = torch.zeros(()) if divisor.item() == 0 else 1 / divisor[0]
            device, std = self.context.device, self._std(variance * factor)
            self._statistics = (mean * factor).to(device), std.to(device)
            self._versions = versions
        return self._statistics

    def _std(self, variance: Tensor) -> Tensor:
        return ops.power(variance + self.eps, 0.5)

    @override
    def can_be_epilogue(self) -> bool:
        """With stored statistics only, those of the batch need all of it."""
        return self.stored

    @override
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        return [ops.epilogue.BatchNorm(*self.statistics())]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor], fused: Fused = ()) -> None:
        """In the train phase batch statistics enter the stored ones."""
        x = bottoms[0]
        if self.stored:
            mean, std = self.statistics()
        else:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            # On the host, whatever the device: the order of these sums is torch's.
            moments = torch.var_mean(x.cpu().double(), axes, correction=0)
            variance, mean = (t.float().to(x.device) for t in moments)
            std = self._std(variance)
            self._store(mean, variance, x.numel() // x.shape[1])
        ops.batch_norm(x, mean, std, out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return self._normalized(bottoms[0], blobs)

    @override
    def forward_train(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor]:
        x = bottoms[0]
        if self.stored or (self.context.precision == "exact" and x.dtype == torch.float32):
            return super().forward_train(bottoms)
        dtype = torch.promote_types(x.dtype, torch.float32)
        mean, variance = (torch.zeros(x.shape[1], dtype=dtype, device=x.device) for _ in range(2))
        factor: Tensor | None = None
        shift: Tensor | None = None
        relu = False
        for layer in fused:
            if isinstance(layer, Scale):
                factor, *shifts = (blob.tensor.to(dtype) for blob in layer.blobs)
                shift = shifts[0] if shifts else torch.zeros_like(factor)
            else:
                relu = True
        top = torch.batch_norm(x, factor, shift, mean, variance, True, 1.0, self.eps, False)
        count = x.numel() // x.shape[1]
        self._store(mean, variance * ((count - 1) / count), count)
        return [torch.relu_(top) if relu else top]

    @override
    def fuses_in_training(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """A Scale per channel and a ReLU, where the statistics are the batch's."""
        if (
            self.stored
            or self.context.precision == "exact"
            or any(self.loss_weights + following.loss_weights)
        ):
            return False
        if any(isinstance(layer, ReLU) for layer in fused):
            return False
        if isinstance(following, ReLU):
            return not following.slope
        if not isinstance(following, Scale) or fused:
            return False
        return following.can_be_epilogue() and following.param.axis == 1

    def _normalized(
        self,
        x: Tensor,
        blobs: list[Tensor],
    ) -> list[Tensor]:
        """With torch's operators."""
        if not self.stored:
            return [torch.batch_norm(x, None, None, None, None, True, 1.0, self.eps, False)]
        divisor = blobs[2]
        factor = torch.where(divisor == 0, 0, 1 / divisor)
        sides = (-1, *[1] * (x.dim() - 2))
        slope = (blobs[1] * factor + self.eps) ** -0.5
        return [
            torch.addcmul(
                (-blobs[0] * factor * slope).to(x.dtype).view(sides), x, slope.to(x.dtype).view(sides)
            )
        ]

    @torch.no_grad()
    def _store(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Adds a batch's statistics to the stored sums, older ones fading away (train phase)."""
        if self.context.phase != "train":
            return
        fading = self.definition.param.batch_norm_param.moving_average_fraction
        unbiased = count / (count - 1) if count > 1 else 1.0
        for blob, value in zip(self.blobs, (mean, variance * unbiased, torch.ones(1)), strict=False):
            blob.data = blob.values() * fading + value.to(blob.values())
