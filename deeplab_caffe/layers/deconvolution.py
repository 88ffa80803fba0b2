"""Deconvolution: every input adds a weighted kernel to the output, the transpose of Convolution."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import register
from .parts.convolution_fields import WeightedFields
from .parts.window import Window


@register("Deconvolution")
class Deconvolution(WeightedFields):
    """Fields as Convolution's. Weights are (inputs, num_output / group, kernel rows, kernel columns).

    What one input adds at one place of the kernel is summed over the channels in the canonical reduction
    order; an output adds these sums in the order of the places, from 0, and then the bias.
    """

    on_device = True

    @override
    def setup(self) -> None:
        super().setup()
        if self.definition.param.convolution_param.same_pad:
            raise self.error("same_pad", "for Convolution only")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        tops = []
        for bottom in bottoms:
            if len(bottom) != 4:
                raise self.error("bottom", f"{len(bottom)} dimensions given, 4 wanted")
            if bottom[1] != bottoms[0][1]:
                raise self.error("bottom", f"{bottom[1]} channels given, the first has {bottoms[0][1]}")
            size = [self.stride[i] * (bottom[2 + i] - 1) + self._reach(i) - 2 * self.pad[i] for i in range(2)]
            if min(*bottom, *size) < 1:
                raise self.error("pad", f"nothing is left of {bottom}: the top would be {size[0]}x{size[1]}")
            tops.append((bottom[0], self.out_channels, *size))
        return tops

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        reach = (self._reach(i) for i in range(2))
        return [
            Window((reach - 1) // step + 1, 1 / step) for reach, step in zip(reach, self.stride, strict=True)
        ]

    @override
    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        """Those of a convolution from the top to the bottom."""
        counts = [
            self.taps(top, bottom, bottom[1] * top[1]) for bottom, top in zip(bottoms, tops, strict=True)
        ]
        return sum(every for every, _ in counts), sum(inside for _, inside in counts)

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        channels = bottoms[0][1]
        if channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide the {channels} channels of the bottom")
        return [
            (channels, self.out_channels // self.groups, *self.kernel),
            *super().blob_shapes(bottoms)[1:],
        ]

    def _columns_weights(self, plain: Tensor) -> Tensor:
        """As a 1x1 convolution's weights: (num_output * kernel places, inputs / group, 1, 1)."""
        grouped = plain.reshape(self.groups, plain.shape[0] // self.groups, -1)
        return grouped.transpose(1, 2).reshape(-1, grouped.shape[1], 1, 1).contiguous()

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        channels = self.blobs[0].shape[0]
        shape = (self.out_channels * self.kernel[0] * self.kernel[1], channels // self.groups, 1, 1)
        packed = self.blobs[0].packed(
            ("deconvolution", self.groups),
            lambda plain: ops.pack_weights(self._columns_weights(plain), self.groups),
        )
        for bottom, top in zip(bottoms, tops, strict=True):
            # Image by image, for the columns are larger than the top.
            for x, y in zip(bottom, top, strict=True):
                columns = ops.atrous_conv(
                    x.unsqueeze(0),
                    packed,
                    groups=self.groups,
                    packed_shape=shape,
                    threads=self.context.threads,
                )
                self._add_up(columns.view(self.out_channels, *self.kernel, *x.shape[1:]), y)
            if len(self.blobs) > 1:
                top += self.blobs[1].values().view(1, -1, 1, 1)

    def _add_up(self, columns: Tensor, y: Tensor) -> None:
        """Puts columns (out, kernel rows, kernel columns, height, width) onto y (out, height, width)."""
        height, width = columns.shape[3:]
        padded = columns.new_zeros(
            len(y),
            self.stride[0] * (height - 1) + self._reach(0),
            self.stride[1] * (width - 1) + self._reach(1),
        )
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                row, column = i * self.dilation[0], j * self.dilation[1]
                target = padded[:, row :: self.stride[0], column :: self.stride[1]]
                target[:, :height, :width] += columns[:, i, j]
        y.copy_(padded[:, self.pad[0] :, self.pad[1] :][:, : y.shape[1], : y.shape[2]])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        dtype = self.working_dtype(blobs[0])
        weights = blobs[0].to(dtype)
        bias = blobs[1].view(-1).to(dtype) if len(blobs) > 1 else None
        geometry = self.stride, self.pad, 0, self.groups, self.dilation
        return [functional.conv_transpose2d(x.to(dtype), weights, bias, *geometry) for x in bottoms]
