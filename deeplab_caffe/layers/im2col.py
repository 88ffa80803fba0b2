"""Im2col: the window around each position, unrolled into channels."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from ..types import Shape
from .base import register
from .parts.convolution_fields import ConvolutionFields


@register("Im2col")
class Im2col(ConvolutionFields):
    """Geometry fields as Convolution's; the top has channels * kernel rows * kernel columns channels."""

    on_device = True

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        channels = bottoms[0][1] if len(bottoms[0]) > 1 else 1
        (top,) = self.windowed(bottoms, channels * self.kernel[0] * self.kernel[1])
        return [top]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        columns = functional.unfold(bottoms[0], self.kernel, self.dilation, self.pad, self.stride)
        tops[0].view(columns.shape).copy_(columns)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        columns = functional.unfold(x, self.kernel, self.dilation, self.pad, self.stride)
        return [columns.view(self.shape([tuple(x.shape)])[0])]
