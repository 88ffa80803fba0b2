"""PriorBox: the default boxes of a map's positions (Liu et al., "SSD", 2016)."""

from math import sqrt

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register

_VARIANCE = 0.1


@register("PriorBox")
class PriorBox(Layer):
    """`prior_box_param { min_size, max_size, aspect_ratio, flip, clip, variance, step, offset, img_size }`.

    Bottoms: map (N, C, h, w), data (N, C', H, W), of which only the sizes count. Top: (1, 2, 4 B h w), for
    each position and box x1, y1, x2, y2 over the image's size, then the variances. Boxes of a position: for
    each min_size its square, that of sqrt(min * max), then one for each other aspect ratio (flip: and its
    inverse).
    """

    on_device = True
    bottom_count = (2, 2)

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.prior_box_param
        if not param.min_size or min(param.min_size) <= 0:
            raise self.error("min_size", "missing or not above 0")
        if param.max_size and len(param.max_size) != len(param.min_size):
            raise self.error("max_size", f"{len(param.max_size)} given for {len(param.min_size)} min_size")
        if any(high <= low for low, high in zip(param.min_size, param.max_size, strict=False)):
            raise self.error("max_size", "larger than min_size wanted")
        if len(param.variance) not in (0, 1, 4):
            raise self.error("variance", f"{len(param.variance)} given, 1 or 4 wanted")
        self.ratios = [1.0]
        for ratio in param.aspect_ratio:
            if not ratio > 0:
                raise self.error("aspect_ratio", f"{ratio:g} given, more than 0 wanted")
            if all(abs(ratio - known) >= 1e-6 for known in self.ratios):
                self.ratios += [ratio, 1 / ratio] if param.flip else [ratio]
        self.boxes = len(self.ratios) * len(param.min_size) + len(param.max_size)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if any(len(bottom) != 4 for bottom in bottoms):
            raise self.error("bottom", f"{bottoms[0]} and {bottoms[1]} given, 4 dimensions each wanted")
        return [(1, 2, 4 * self.boxes * bottoms[0][2] * bottoms[0][3])]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        rows, columns = bottoms[0].shape[2:]
        height, width = self._image(bottoms[1])
        step_y, step_x = self._steps(height / rows, width / columns)
        offset = self.param.offset
        y = (torch.arange(rows, dtype=torch.float32) + offset) * step_y
        x = (torch.arange(columns, dtype=torch.float32) + offset) * step_x
        centres = torch.stack([x.expand(rows, -1), y.unsqueeze(1).expand(-1, columns)], -1)
        sizes = torch.tensor(self._sizes(), dtype=torch.float32)  # (boxes, 2): width, height
        centres, half = centres.unsqueeze(2), sizes / 2
        whole = torch.tensor([width, height], dtype=torch.float32)
        boxes = torch.cat([(centres - half) / whole, (centres + half) / whole], -1)
        if self.param.clip:
            boxes = boxes.clamp(0, 1)
        variance = torch.tensor(list(self.param.variance) or [_VARIANCE], dtype=torch.float32)
        tops[0][0, 0].copy_(boxes.flatten())
        tops[0][0, 1].copy_(variance.expand(4).repeat(boxes.numel() // 4))

    def _image(self, data: Tensor) -> tuple[int, int]:
        param = self.param
        if param.img_size or (param.img_h and param.img_w):
            return param.img_size or param.img_h, param.img_size or param.img_w
        return data.shape[2], data.shape[3]

    def _steps(self, rows: float, columns: float) -> tuple[float, float]:
        param = self.param
        if param.step or (param.step_h and param.step_w):
            return param.step or param.step_h, param.step or param.step_w
        return rows, columns

    def _sizes(self) -> list[tuple[float, float]]:
        """Width and height of each box of a position, in pixels."""
        sizes = []
        for number, low in enumerate(self.param.min_size):
            sizes.append((low, low))
            if self.param.max_size:
                side = sqrt(low * self.param.max_size[number])
                sizes.append((side, side))
            sizes += [(low * sqrt(ratio), low / sqrt(ratio)) for ratio in self.ratios[1:]]
        return sizes
