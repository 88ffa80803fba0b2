"""What Convolution, Deconvolution and Im2col share: the fields of `convolution_param`."""

from math import prod
from typing import Any

from typing_extensions import override

from ... import ops
from ...types import Pair, Shape
from ..abilities import Windowed
from ..base import Layer
from .fields import pair
from .same_padding import same_padding
from .window import Window, taps_inside


class ConvolutionFields(Windowed, Layer):
    """`convolution_param { kernel_size pad stride dilation }`, also `_h` and `_w`: windows of that kind."""

    groups = 1

    @override
    def setup(self) -> None:
        param = self.definition.param.convolution_param
        self.same_pad = False
        self.read_windows(param)

    def read_windows(self, param: Any) -> None:
        """Numbers for rows and columns."""
        if param.axis not in (1, -3):
            raise self.error("axis", f"{param.axis} given, only 1 is supported")
        self.kernel = pair(self, param, "kernel_size", least=1)
        self.stride = pair(self, param, "stride", least=1, default=1)
        self.pad = pair(self, param, "pad", default=0)
        self.dilation = pair(self, param, "dilation", least=1, default=1)

    def padding(self, size: Shape) -> list[Pair]:
        """How much is added before and behind the rows, and the columns, of an input of `size`."""
        if not self.same_pad:
            return [(pad, pad) for pad in self.pad]
        return [same_padding(size[i], self.kernel[i], self.stride[i], self.dilation[i]) for i in range(2)]

    def windowed(self, bottoms: list[Shape], channels: int) -> list[Shape]:
        """Shapes with `channels` channels and one position for each window of each bottom."""
        tops = []
        for bottom in bottoms:
            if len(bottom) != 4:
                raise self.error("bottom", f"{len(bottom)} dimensions given, 4 wanted")
            if bottom[1] != bottoms[0][1]:
                raise self.error(
                    "bottom", f"{bottom[1]} channels given, the first bottom has {bottoms[0][1]}"
                )
            padding = self.padding(bottom[2:])
            padded = [bottom[2 + i] + sum(padding[i]) for i in range(2)]
            size = [
                ops.convolved_size(padded[i], self.kernel[i], self.stride[i], 0, self.dilation[i])
                for i in range(2)
            ]
            if min(size) < 1:
                reach = [self.dilation[i] * (self.kernel[i] - 1) + 1 for i in range(2)]
                raise self.error(
                    "kernel_size",
                    f"the kernel spans {reach[0]}x{reach[1]}, the padded input only {padded[0]}x{padded[1]}",
                )
            tops.append((bottom[0], channels, *size))
        return tops

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        padding = self.padding(bottoms[0][2:])
        return [Window(self.kernel[i], self.stride[i], padding[i][0], self.dilation[i]) for i in range(2)]

    def taps(self, image: Shape, positions: Shape, channel_pairs: int) -> tuple[int, int]:
        """Multiply-adds of windows over `image` at `positions`: all, and those inside the image."""
        pairs, windows = image[0] * channel_pairs // self.groups, ConvolutionFields.windows(self, [image])
        inside = (taps_inside(windows[i], image[2 + i], positions[2 + i]) for i in range(2))
        return pairs * prod(self.kernel) * prod(positions[2:]), pairs * prod(inside)


class WeightedFields(ConvolutionFields):
    """The same with `num_output group bias_term` and the parameters of a convolution."""

    bottom_count = (1, None)
    top_count = (1, None)

    @override
    def setup(self) -> None:
        param = self.definition.param.convolution_param
        if not param.HasField("num_output") or param.num_output < 1:
            raise self.error("num_output", "missing or 0")
        if len(self.definition.bottoms) != len(self.definition.tops):
            raise self.error("top", "as many tops as bottoms wanted")
        self.out_channels, self.groups = param.num_output, param.group
        if self.groups < 1 or self.out_channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide num_output {self.out_channels}")
        super().setup()

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        channels = bottoms[0][1]
        if channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide the {channels} channels of the bottom")
        weights = (self.out_channels, channels // self.groups, *self.kernel)
        if not self.definition.param.convolution_param.bias_term:
            return [weights]
        return [weights, self.definition.dialect.blob_shape(self.out_channels)]

    @override
    def fillers(self) -> list:
        param = self.definition.param.convolution_param
        return [param.weight_filler, param.bias_filler]
