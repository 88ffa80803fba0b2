"""The sizes and steps of a convolution, and what follows from them alone."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from .. import _C
from ..errors import DeepLabError
from ..types import Pair, Shape


def convolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Caffe's output size: (size + 2 * pad - (dilation * (kernel - 1) + 1)) / stride + 1, rounded down."""
    return (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1


def rows_read(rows: Pair, height: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> Pair:
    """Input rows (first, end), of `height`, that windows read to make the output rows `rows` (first, end)."""
    first = min(max(rows[0] * stride - pad, 0), height)
    return first, max(first, min((rows[1] - 1) * stride - pad + (kernel - 1) * dilation + 1, height))


@dataclass(frozen=True)
class ConvGeometry:
    """One convolution but for its values; pairs are (rows, columns).

    pad: the padding before; what comes behind follows from `out_size`. in_plane, out_plane: values from one
    channel to the next where the tensors hold other rows than those of the sizes, else None.
    """

    batch: int
    in_channels: int
    in_size: Pair
    out_channels: int
    out_size: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    in_plane: int | None = None
    out_plane: int | None = None

    @classmethod
    def of(
        cls,
        shape: Shape,
        weights: Shape,
        stride: Pair = (1, 1),
        pad: Pair = (0, 0),
        dilation: Pair = (1, 1),
        groups: int = 1,
        size: Pair | None = None,
    ) -> "ConvGeometry":
        """That of an input [batch, channels, height, width] and weights [out, channels / groups, kh, kw].

        size: rows and columns of the output, by default those for `pad` at both ends. Raises DeepLabError if
        the shapes do not fit together.
        """
        batch, channels, height, width = shape
        out_channels, per_group, *kernel = weights
        if min(channels, height, width, out_channels) < 1:
            given = f"an input of {channels}x{height}x{width} and {out_channels} output channels"
            raise DeepLabError(f"atrous_conv: {given}: there is nothing to convolve")
        if groups < 1 or channels != per_group * groups or out_channels % groups:
            given = f"weights {out_channels}x{per_group} in {groups} groups"
            raise DeepLabError(f"atrous_conv: {given} do not fit {channels} channels")
        if min(*stride, *dilation, *kernel) < 1 or min(pad) < 0:
            raise DeepLabError("atrous_conv: kernel, stride and dilation must be positive, pad at least 0")
        out_h, out_w = size or (
            convolved_size(height, kernel[0], stride[0], pad[0], dilation[0]),
            convolved_size(width, kernel[1], stride[1], pad[1], dilation[1]),
        )
        if out_h < 1 or out_w < 1:
            raise DeepLabError(f"atrous_conv: the kernel is larger than the padded {height}x{width} input")
        sizes = batch, channels, (height, width), out_channels, (out_h, out_w), (kernel[0], kernel[1])
        return cls(*sizes, stride, pad, dilation, groups)

    @classmethod
    def of_weights(cls, weights: Shape, groups: int = 1) -> "ConvGeometry":
        """Some convolution with these weights: what is convolved does not matter for packing."""
        return cls.of((1, weights[1] * groups, *weights[2:]), weights, groups=groups)

    @property
    def out_shape(self) -> Shape:
        """[batch, out channels, height, width] of the output."""
        return self.batch, self.out_channels, *self.out_size

    def of_rows(self, rows: Pair, in_plane: int, out_plane: int) -> "ConvGeometry":
        """The part that makes the output's `rows` (first, end), in tensors with these planes.

        Its input is the whole one still: `pad` becomes negative where the rows begin further down.
        """
        size = rows[1] - rows[0], self.out_size[1]
        pad = self.pad[0] - rows[0] * self.stride[0], self.pad[1]
        return replace(self, out_size=size, pad=pad, in_plane=in_plane, out_plane=out_plane)

    def native(self, module: ModuleType = _C) -> Any:
        """The ConvGeometry of a native module, see csrc/conv/conv_plan.h."""
        return module.ConvGeometry(
            batch=self.batch,
            groups=self.groups,
            in_channels=self.in_channels,
            in_height=self.in_size[0],
            in_width=self.in_size[1],
            out_channels=self.out_channels,
            out_height=self.out_size[0],
            out_width=self.out_size[1],
            kernel_height=self.kernel[0],
            kernel_width=self.kernel[1],
            stride_height=self.stride[0],
            stride_width=self.stride[1],
            pad_height=self.pad[0],
            pad_width=self.pad[1],
            dilation_height=self.dilation[0],
            dilation_width=self.dilation[1],
            in_plane=self.in_plane,
            out_plane=self.out_plane,
        )


def planned_multiply_adds(geometry: ConvGeometry) -> int:
    """Multiply-adds the CPU's kernel performs, the padding taps it skips left out."""
    return geometry.batch * _C.planned_multiply_adds(geometry.native())


def tap_intervals(
    size: int, kernel: int, stride: int, pad: int, dilation: int, extent: int, worth: int, shortest: int
) -> list[tuple[int, int, list[int]]]:
    """The kernel's cuts of one axis: (begin, end, taps) of outputs that share the taps inside the image.

    Each output stands for `extent` positions; cuts saving less than `worth` positions, or leaving less than
    `shortest` outputs together, are not made.
    """
    out = convolved_size(size, kernel, stride, pad, dilation)
    return _C.tap_intervals(size, out, kernel, stride, pad, dilation, extent, worth, shortest)
