"""BN: batch normalisation with scale and shift in one layer, of the forks of SegNet and PSPNet."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..formats.bn_dialect import is_segnet
from ..types import Shape
from .base import Layer, register

_SEGNET_EPS = 1e-9


@register("BN")
class BN(Layer):
    """`bn_param`: two layers that share their name; formats/bn_dialect.py tells which one it is.

    SegNet, ENet, DeconvNet (`bn_mode`, `scale_filler`, `shift_filler`; blobs: scale, shift): LEARN normalises
    by the mean and variance of the batch in both phases, INFERENCE does not; then times scale plus shift.
    Tops: the values, [the batch's mean, [its variance]].
    PSPNet, ICNet (`slope_filler`, `bias_filler`, `momentum`, `eps`, `frozen`; blobs: slope, bias, mean,
    variance): normalised by the stored statistics in the test phase or if frozen, else by the batch's, which
    enter the stored ones; then times slope plus bias. The statistics do not learn, frozen nothing does.
    """

    on_device = True
    in_place = True
    top_count = (1, 3)

    @override
    def setup(self) -> None:
        self.param = self.definition.param.bn_param
        self.segnet = is_segnet(self.param)
        self.eps: float = _SEGNET_EPS if self.segnet else self.param.eps
        tops = len(self.definition.tops)
        if tops > 1 and not self._learns_by_batch:
            raise self.error(
                "top", f"{tops} given, 1 wanted: only bn_mode: LEARN tells the batch's statistics"
            )

    @property
    def _learns_by_batch(self) -> bool:
        return self.segnet and self.param.bn_mode == self.param.LEARN

    @property
    def stored(self) -> bool:
        """Whether the stored statistics count, not the batch's (PSPNet's)."""
        return self.param.frozen or self.context.phase == "test"

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        channels: Shape = (1, bottoms[0][1], 1, 1)
        return [bottoms[0], channels, channels][: len(self.definition.tops)]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [(1, bottoms[0][1], 1, 1)] * (2 if self.segnet else 4)

    @override
    def fillers(self) -> list[object]:
        if self.segnet:
            return [self.param.scale_filler, self.param.shift_filler]
        return [self.param.slope_filler, self.param.bias_filler, 0, 1 if self.param.frozen else 0]

    @override
    def learning(self, blob: int) -> bool:
        return self.segnet or (blob < 2 and not self.param.frozen)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Each step rounds to float32, as the original's calls do; the sums of a batch are float64's."""
        x, top = bottoms[0], tops[0]
        scale, shift, *statistics = (blob.values() for blob in self.blobs)
        if self.segnet and not self._learns_by_batch:
            torch.add(x * scale, shift, out=top)
            return
        if self.segnet or not self.stored:
            # On the host, whatever the device: the order of these sums is torch's.
            moments = torch.var_mean(x.cpu().double(), (0, 2, 3), correction=0, keepdim=True)
            variance, mean = (moment.float().to(x.device) for moment in moments)
            if not self.segnet:
                self._store(mean, variance)
        else:
            mean, variance = statistics
        for extra, value in zip(tops[1:], (mean, variance), strict=False):
            extra.copy_(value)
        if self.segnet:
            normal = (x - mean) / self._power(variance, 0.5)
        else:
            normal = (x - mean) * self._power(variance, -0.5)
        torch.add(normal * scale, shift, out=top)

    def _power(self, variance: Tensor, exponent: float) -> Tensor:
        return ops.power((variance + self.eps).cpu(), exponent).to(variance.device)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        scale, shift, *statistics = (blob.to(torch.promote_types(x.dtype, torch.float32)) for blob in blobs)
        if self.segnet and not self._learns_by_batch:
            return [(x * scale + shift).to(x.dtype)]
        if self.segnet or not self.stored:
            variance, mean = torch.var_mean(x.to(scale.dtype), (0, 2, 3), correction=0, keepdim=True)
        else:
            mean, variance = (value.detach() for value in statistics)
        slope = scale * (variance + self.eps) ** -0.5
        tops = [((x - mean) * slope + shift).to(x.dtype), mean, variance]
        return tops[: len(self.definition.tops)]

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        exact = self.context.precision == "exact" and bottoms[0].dtype == torch.float32
        if not (self.segnet or self.stored or exact):
            x = bottoms[0].detach().to(torch.float32)
            self._store(*reversed(torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)))
        return super().forward_train(bottoms)

    @torch.no_grad()
    def _store(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the stored statistics towards a batch's."""
        momentum = self.param.momentum
        for blob, value in zip(self.blobs[2:], (mean, variance), strict=True):
            blob.data = (1 - momentum) * value + momentum * blob.values()
