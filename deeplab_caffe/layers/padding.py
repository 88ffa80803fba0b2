"""Padding (v1): a border of zeros around the image plane, or a crop of it."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from ..types import Shape
from .abilities import Alias
from .base import Layer, register


@register("Padding")
class Padding(Alias, Layer):
    """`padding_param { pad_beg, pad_end }` for rows and columns alike; negative numbers crop."""

    on_device = True

    @override
    def setup(self) -> None:
        param = self.definition.param.padding_param
        self.begin, self.end = param.pad_beg, param.pad_end
        if min(self.begin, self.end) < 0 < max(self.begin, self.end):
            raise self.error("pad_beg", f"{self.begin} and pad_end {self.end} differ in sign")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        batch, channels, height, width = bottoms[0]
        grow = self.begin + self.end
        return [(batch, channels, height + grow, width + grow)]

    @override
    def view_of(self, top: int) -> int | None:
        return 0 if self.begin == self.end == 0 else None

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        top, bottom = tops[0], bottoms[0]
        if self.begin + self.end > 0:
            top.zero_()
        rows, columns = top.shape[2:]
        cut, shift = max(-self.begin, 0), max(self.begin, 0)
        height, width = min(bottom.shape[2], rows), min(bottom.shape[3], columns)
        top[:, :, shift : shift + height, shift : shift + width] = bottom[
            :, :, cut : cut + height, cut : cut + width
        ]

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [functional.pad(bottoms[0], [self.begin, self.end, self.begin, self.end])]
