"""Convolution over any number of axes: each position's inputs as a column, and products with these.

The columns' order is the original's (channel, then the kernel's axes), so a product's sum is cut as its sums
are; padding adds zeros to it.
"""

from math import prod
from typing import Any

from torch import Tensor
from torch.nn import functional

from ... import ops
from ...types import Shape
from ..base import Layer
from .fields import numbers

_FIELDS = {"kernel_size": (1, None), "stride": (1, 1), "pad": (0, 0), "dilation": (1, 1)}  # least, default


class AnyConvolution:
    """What `convolution_param { axis kernel_size stride pad dilation group }` says of any blob.

    The axes before `axis` are images, those behind it positions; a field has one number, or one for each of
    these. layer: names what is wrong.
    """

    def __init__(self, layer: Layer, out_channels: int, groups: int) -> None:
        self.layer, self.out_channels, self.groups = layer, out_channels, groups
        param: Any = layer.definition.param.convolution_param
        self.axis = param.axis
        self.fields = {
            field: numbers(layer, param, field, least, default) for field, (least, default) in _FIELDS.items()
        }

    def is_for(self, dimensions: int) -> bool:
        """Whether blobs of so many axes are no batch of images, or weights of so many not theirs."""
        return dimensions != 4 or self.axis not in (1, -3)

    def channels_axis(self, shape: Shape) -> int:
        """The axis of the channels."""
        axis = self.axis + len(shape) if self.axis < 0 else self.axis
        if not 0 <= axis < len(shape):
            raise self.layer.error("axis", f"{self.axis} given for a blob of {len(shape)} axes")
        return axis

    def numbers(self, field: str, count: int) -> Shape:
        """The field, for each of `count` axes of positions."""
        found = self.fields[field]
        if len(found) not in (1, count):
            raise self.layer.error(
                field, f"{len(found)} numbers given, the bottom has {count} axes behind its channels"
            )
        return found if len(found) == count else found * count

    def top_shape(self, bottom: Shape) -> Shape:
        """Of one bottom."""
        axis = self.channels_axis(bottom)
        sizes = bottom[axis + 1 :]
        every = [self.numbers(field, len(sizes)) for field in _FIELDS]
        positions = []
        for size, kernel, stride, pad, dilation in zip(sizes, *every, strict=True):
            if size + 2 * pad < dilation * (kernel - 1) + 1:
                raise self.layer.error(
                    "kernel_size",
                    f"the kernel spans {dilation * (kernel - 1) + 1}, the padded input only {size + 2 * pad}",
                )
            positions.append(ops.convolved_size(size, kernel, stride, pad, dilation))
        return *bottom[:axis], self.out_channels, *positions

    def weights_shape(self, bottom: Shape) -> Shape:
        """Of the weights for one bottom."""
        axis = self.channels_axis(bottom)
        channels = bottom[axis]
        if channels % self.groups:
            raise self.layer.error(
                "group", f"{self.groups} does not divide the {channels} channels of the bottom"
            )
        return (
            self.out_channels,
            channels // self.groups,
            *self.numbers("kernel_size", len(bottom) - axis - 1),
        )

    def convolve(
        self, x: Tensor, weights: Tensor, bias: Tensor | None = None, *, threads: int | None = None
    ) -> Tensor:
        """The top of x, in the original's order of summation."""
        epilogue = [] if bias is None else [ops.epilogue.Bias(bias.view(-1))]
        product = ops.atrous_conv(
            self._columns(x), self._matrix(weights), groups=self.groups, epilogue=epilogue, threads=threads
        )
        return product.view(self.top_shape(tuple(x.shape)))

    def formula(self, x: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
        """The same by torch, to be differentiated."""
        columns, matrix = self._columns(x), self._matrix(weights)
        product = functional.conv2d(
            columns, matrix, None if bias is None else bias.view(-1), groups=self.groups
        )
        return product.view(self.top_shape(tuple(x.shape)))

    def _matrix(self, weights: Tensor) -> Tensor:
        return weights.reshape(self.out_channels, -1, 1, 1)

    def _columns(self, x: Tensor) -> Tensor:
        """(images, channels * kernel, 1, positions) of x."""
        axis = self.channels_axis(tuple(x.shape))
        count = x.dim() - axis - 1
        kernel, stride, pad, dilation = (self.numbers(field, count) for field in _FIELDS)
        x = x.reshape(prod(x.shape[:axis]), *x.shape[axis:])
        x = functional.pad(x, [side for one in reversed(pad) for side in (one, one)])
        for i in range(count):
            x = x.unfold(2 + i, dilation[i] * (kernel[i] - 1) + 1, stride[i])[..., :: dilation[i]]
        positions, places = range(2, 2 + count), range(2 + count, 2 + 2 * count)
        x = x.permute(0, 1, *places, *positions)
        return x.reshape(x.shape[0], x.shape[1] * prod(kernel), 1, -1).contiguous()

    def multiply_adds(self, bottom: Shape, top: Shape) -> int:
        """Of one bottom, in the padding too."""
        return prod(top) * prod(self.weights_shape(bottom)[1:])
