"""GainChannel: a factor per channel that training keeps positive and drives to few large ones."""

from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("GainChannel")
class GainChannel(Layer):
    """`gain_channel_param { num_output_nz, drift, stdev, gain_filler, norm_mean, thresh }`; blob: the gains.

    Each forward, in either phase, first changes the gains themselves: those below thresh become thresh,
    then, with norm_mean, all are scaled to a mean of 1. To their gradient comes `drift` for gains that are
    not among the num_output_nz largest, and normal noise of deviation `stdev`; with norm_mean its mean is
    taken off.
    """

    remembers = True
    on_device = True
    synchronises = True
    in_place = True

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.gain_channel_param
        for name in ("drift", "stdev"):
            if not getattr(param, name) >= 0:
                raise self.error(name, f"{getattr(param, name):g} given, at least 0 wanted")
        if not param.thresh > 0:
            raise self.error("thresh", f"{param.thresh:g} given, a number above 0 wanted")
        if not param.HasField("gain_filler"):
            raise self.error("gain_filler", "missing")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        if not 0 < self.param.num_output_nz <= bottoms[0][1]:
            raise self.error(
                "num_output_nz", f"{self.param.num_output_nz} given, 1 to {bottoms[0][1]} channels wanted"
            )
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [(1, bottoms[0][1], 1, 1)]

    @override
    def fillers(self) -> list[object]:
        return [self.param.gain_filler]

    def _project(self) -> None:
        """Changes the gains as every forward does."""
        held = self.blobs[0].values().cpu()
        gains = held.clamp(min=self.param.thresh)
        if self.param.norm_mean:
            total = np.add.accumulate(gains.flatten().numpy())[-1]  # one after the other
            gains = gains * (np.float32(gains.numel()) / total).item()
        if not torch.equal(gains, held):
            self.blobs[0].data = gains

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        self._project()
        gains = self.blobs[0].values().flatten()
        ops.scale(bottoms[0], gains, out=tops[0], threads=self.context.threads)

    @override
    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor] | None:
        self._project()
        return super().forward_fast(bottoms)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        """Of gains that are changed already."""
        return [bottoms[0] * blobs[0].to(bottoms[0].dtype)]

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        """One product is rounded as in `forward`."""
        self._project()
        gains: Tensor = self.blobs[0].tensor
        self.passes += 1
        if gains.requires_grad:
            where = f"{self.name} {self.context.rank} {self.passes}"
            seed = crc32(where.encode(), self.context.seed & 0xFFFFFFFF)
            gains = gains.view_as(gains)
            gains.register_hook(lambda gradient: self._steered(gradient, seed))
        return self.formula(bottoms, [gains])

    def _steered(self, gradient: Tensor, seed: int) -> Tensor:
        """What an update uses in place of the gains' gradient."""
        gains = self.blobs[0].values()
        if self.param.drift > 0:
            least_kept = gains.flatten().topk(self.param.num_output_nz).values[-1]
            gradient = gradient + self.param.drift * (gains < least_kept)
        if self.param.stdev > 0:
            noise = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(seed))
            gradient = gradient + self.param.stdev * noise.to(gradient)
        return gradient - gradient.mean() if self.param.norm_mean else gradient
