"""Im2col: the window around each position, unrolled into channels."""

import torch
from torch.nn import functional

from ..types import Shape
from .base import Layer, register
from .convolution import Convolution


@register("Im2col")
class Im2col(Convolution):
    """Geometry fields as Convolution's; the top has channels * kernel rows * kernel columns channels."""

    on_device = True
    bottom_count = (1, 1)
    top_count = (1, 1)

    def setup(self) -> None:
        """See Layer."""
        self.kernel = self._pair("kernel_size", "kernel_h", "kernel_w", None)
        self.stride = self._pair("stride", "stride_h", "stride_w", 1)
        self.pad = self._pair("pad", "pad_h", "pad_w", 0)
        self.dilation = self._pair("dilation", None, None, 1)
        self.same_pad = False
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise self.error("kernel_size", "kernel_size, stride and dilation are at least 1")

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        channels = bottoms[0][1] if len(bottoms[0]) > 1 else 1
        (top,) = self.windowed(bottoms, channels * self.kernel[0] * self.kernel[1])
        return [top]

    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        """See Windowed."""
        return 0, 0

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        return []

    def fillers(self) -> list[object]:
        """See Layer."""
        return []

    def absorbs(self, following: Layer, bottom: int) -> bool:
        """See Layer."""
        return False

    def absorbs_in_training(self, following: Layer, bottom: int) -> bool:
        """See Layer."""
        return False

    def forward_train(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor]:
        """See Layer."""
        return Layer.forward_train(self, bottoms)

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        columns = functional.unfold(bottoms[0], self.kernel, self.dilation, self.pad, self.stride)
        tops[0].view(columns.shape).copy_(columns)

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        x = bottoms[0]
        columns = functional.unfold(x, self.kernel, self.dilation, self.pad, self.stride)
        return [columns.view(self.shape([tuple(x.shape)])[0])]

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        return Layer.forward_fast(self, bottoms)
