"""BiasChannel: raises the scores of the labels that an image, or a pixel, is known to have."""

from math import isfinite

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("BiasChannel")
class BiasChannel(Layer):
    """`bias_channel_param { bg_bias, fg_bias, ignore_label, label_type, background_label }`.

    Bottoms: scores (num, labels, height, width); the known labels, either all of an image (label_type IMAGE:
    (num, n, 1, 1), -1 as filler) or each pixel's (PIXEL: (num, 1, height, width)).
    IMAGE: fg_bias is added to the whole channel of each known label, bg_bias to that of label 0. PIXEL: at
    each pixel fg_bias is added to its label's channel and bg_bias to the background's, whatever the label is
    (v2: if bg_bias or background_label is given); a background pixel gets bg_bias only.
    """

    bottom_count = (2, 2)
    in_place = True

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.bias_channel_param
        for name in ("bg_bias", "fg_bias"):
            if not getattr(param, name) >= 0:
                raise self.error(name, f"{getattr(param, name):g} given, at least 0 wanted")
        self.pixel = param.label_type == param.PIXEL
        self.ignore = {-1, *param.ignore_label}
        given = param.HasField("background_label") or param.HasField("bg_bias")
        self.background = (
            param.background_label if given or self.definition.dialect.background_is_known else None
        )

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        scores, labels = bottoms
        self.want_dims(scores, 4)
        fits = labels == (scores[0], 1, *scores[2:])
        if not self.pixel:
            fits = len(labels) == 4 and labels[0] == scores[0] and labels[1] > 0 and labels[2:] == (1, 1)
        if not fits:
            raise self.error("bottom", f"labels {labels} do not fit scores {scores}")
        if self.pixel and self.background is not None and not 0 <= self.background < scores[1]:
            raise self.error("background_label", f"{self.background} of {scores[1]} labels")
        return [scores]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        top, labels = tops[0].copy_(bottoms[0]), bottoms[1]
        for n in range(len(top)):
            for value in labels[n].unique().tolist():
                label = int(value) if isfinite(value) else -2
                if label in self.ignore:
                    continue
                if not 0 <= label < top.shape[1]:
                    raise self.error("bottom", f"label {value:g} found, 0 to {top.shape[1] - 1} wanted")
                if self.pixel:
                    self._raise_pixels(top[n], labels[n, 0] == value, label)
                else:
                    times = int((labels[n] == value).sum())
                    for _ in range(times):
                        top[n, label] += self.param.fg_bias if label else self.param.bg_bias

    def _raise_pixels(self, scores: Tensor, where: Tensor, label: int) -> None:
        if self.background is not None:
            scores[self.background, where] += self.param.bg_bias
        if label != self.background:
            scores[label, where] += self.param.fg_bias

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        summands = torch.zeros_like(bottoms[0])
        self.forward([summands, bottoms[1]], [summands])
        return [bottoms[0] + summands]
