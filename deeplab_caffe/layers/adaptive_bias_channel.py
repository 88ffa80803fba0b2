"""AdaptiveBiasChannel: raises the scores of an image's labels until each wins a given share of the pixels."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("AdaptiveBiasChannel")
class AdaptiveBiasChannel(Layer):
    """`adaptive_bias_channel_param { num_iter, bg_portion, fg_portion, suppress_others, margin_others }`.

    Bottoms: scores (num, labels, height, width); the labels of each image (num, n, 1, 1), -1 as filler. In
    each of num_iter rounds every label of the image (0, the background, first) is raised by the bg_portion or
    fg_portion quantile of its distance to the best score. suppress_others: absent labels above the lowest
    present one are put margin_others below it. At last the mean of the best scores is restored. The original
    takes the foreground labels in random order; here that order is the labels' own.
    """

    bottom_count = (2, 2)
    in_place = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.adaptive_bias_channel_param
        if self.param.num_iter < 1:
            raise self.error("num_iter", f"{self.param.num_iter} given, at least 1 wanted")
        if not self.param.margin_others >= 0:
            raise self.error("margin_others", f"{self.param.margin_others:g} given, at least 0 wanted")
        for name in ("bg_portion", "fg_portion"):
            if not 0 <= getattr(self.param, name) <= 1:
                raise self.error(name, f"{getattr(self.param, name):g} given, 0 to 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        scores, labels = bottoms
        if len(scores) != 4 or scores[1] < 2:
            raise self.error("bottom", f"{scores} given, 4 dimensions and at least 2 labels wanted")
        if len(labels) != 4 or labels[0] != scores[0] or labels[1] < 1 or labels[2:] != (1, 1):
            raise self.error("bottom", f"labels {labels} do not fit scores {scores}")
        return [scores]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.formula(bottoms, [])[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        adapted = []
        for scores, given in zip(*bottoms, strict=True):
            present = given[given != -1]
            if not ((present >= 0) & (present < len(scores))).all():
                raise self.error("bottom", f"a label out of 0 to {len(scores) - 1}: {present.tolist()}")
            labels = sorted(present.int().tolist())
            adapted.append(self._adapted(scores.flatten(1), labels).view_as(scores) if labels else scores)
        return [torch.stack(adapted)]

    def _adapted(self, scores: Tensor, labels: list[int]) -> Tensor:
        """The new scores (labels, pixels) of one image."""
        rows = list(scores)
        present = scores[labels]
        if self.param.suppress_others:
            lowest = present.amin(0)
            for c in range(len(rows)):
                if c not in labels:
                    rows[c] = torch.where(rows[c] > lowest, lowest - self.param.margin_others, rows[c])
        best = present.amax(0)
        mean = best.double().mean()
        pixels = scores.shape[1]
        for _ in range(self.param.num_iter):
            for label in labels:
                portion = self.param.fg_portion if label else self.param.bg_portion
                rank = min(int(torch.tensor(portion) * pixels), pixels - 1)
                rows[label] = rows[label] + (best - rows[label]).sort().values[rank]
                best = torch.maximum(best, rows[label])
        return torch.stack(rows) + (mean - best.double().mean()).to(scores.dtype)
