"""A convolution for the precisions other than exact: torch's, or on the CPU whatever is faster than it.

torch.conv2d has oneDNN bring the weights into its own order at each call. torch's compiler does so once, and
has oneDNN add a tensor in the same pass; the operators it uses for that are used here, too. (Not for ReLU and
clip: there oneDNN loses NaN.) Depthwise convolutions have our own kernel, which cuts off in the same pass and
is fast for holes, too.
"""

from dataclasses import dataclass
from math import inf

import torch
from torch.nn import functional

from .. import ops
from . import fold

Tensor = torch.Tensor
Shape = tuple[int, ...]
Pair = tuple[int, int]
Padding = list[tuple[int, int]]  # before and behind the rows, and the columns
Range = tuple[float, float]
EVERYTHING: Range = (-inf, inf)


@dataclass(frozen=True)
class Geometry:
    """What a convolution does besides its weights."""

    stride: Pair
    dilation: Pair
    groups: int


class TorchConvolution:
    """torch.conv2d, channels last. weights: (out, in / groups, kh, kw), bias: (out) or None, of one dtype."""

    def __init__(self, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> None:
        self.dtype, self.bias, self.geometry = weights.dtype, bias, geometry
        self.weights = weights.contiguous(memory_format=torch.channels_last)

    def __call__(
        self, x: Tensor, padding: Padding, steps: list[fold.Step], within: Range = EVERYTHING
    ) -> Tensor:
        """The convolution of x, cut off at the ends of `within`, then the steps."""
        x, pad = prepared(x, self.dtype, padding, within)
        g = self.geometry
        y = functional.conv2d(x, self.weights, self.bias, g.stride, pad, g.dilation, g.groups)
        return fold.apply(y, steps)


class PackedConvolution:
    """oneDNN's convolution with weights in its own order; the rest as TorchConvolution.

    The order depends on the input's size, `shape`. An input of another size brings the weights back into
    channels last for good: then oneDNN reorders at each call.

    Raises RuntimeError or AttributeError where this torch or this processor has no such thing.
    """

    def __init__(
        self, weights: Tensor, bias: Tensor | None, geometry: Geometry, shape: Shape, padding: Padding
    ) -> None:
        self.dtype, self.bias, self.geometry, self._shape = weights.dtype, bias, geometry, shape
        self._convolve = torch.ops.mkldnn._convolution_pointwise
        (top, bottom), (left, right) = padding
        if top != bottom or left != right:
            shape, pad = (*shape[:2], shape[2] + top + bottom, shape[3] + left + right), (0, 0)
        else:
            pad = top, left
        g, reorder = geometry, torch.ops.mkldnn._reorder_convolution_weight
        self.weights = reorder(weights, pad, g.stride, g.dilation, g.groups, shape)

    def __call__(
        self, x: Tensor, padding: Padding, steps: list[fold.Step], within: Range = EVERYTHING
    ) -> Tensor:
        """See TorchConvolution."""
        if self.weights.is_mkldnn and tuple(x.shape) != self._shape:
            self.weights = self.weights.to_dense().contiguous(memory_format=torch.channels_last)
        x, pad = prepared(x, self.dtype, padding, within)
        g = self.geometry
        numbers = self.weights, self.bias, pad, g.stride, g.dilation, g.groups
        if steps and steps[0][0] == "sum" and steps[0][2:4] == (1.0, 1.0):
            other = steps[0][1].to(self.dtype).contiguous(memory_format=torch.channels_last)
            y = self._convolve.binary(x, other, *numbers, "add", 1.0, None, [], None)
            return fold.apply(y, steps[1:])
        return fold.apply(self._convolve(x, *numbers, "none", [], None), steps)


class DepthwiseConvolution:
    """Our kernel for one channel in and one out per group, float32; the rest as TorchConvolution."""

    dtype = torch.float32

    def __init__(self, weights: Tensor, bias: Tensor | None, geometry: Geometry, threads: int | None) -> None:
        self.geometry, self.threads = geometry, threads
        self.weights = weights[:, 0].permute(1, 2, 0).contiguous()
        self.bias = weights.new_zeros(len(weights)) if bias is None else bias

    def __call__(
        self, x: Tensor, padding: Padding, steps: list[fold.Step], within: Range = EVERYTHING
    ) -> Tensor:
        """See TorchConvolution."""
        g, kernel = self.geometry, self.weights.shape[:2]
        size = [
            ops.convolved_size(x.shape[2 + i] + sum(padding[i]), kernel[i], g.stride[i], 0, g.dilation[i])
            for i in range(2)
        ]
        bounds = bounds_of(steps[0]) if steps else None
        y = ops.depthwise_channels_last(
            x.to(self.dtype),
            self.weights,
            self.bias,
            g.stride,
            (padding[0][0], padding[1][0]),
            g.dilation,
            within=within,
            bounds=bounds or EVERYTHING,
            size=tuple(size),
            threads=self.threads,
        )
        return fold.apply(y, steps[1:] if bounds else steps)


FastConvolution = TorchConvolution | PackedConvolution | DepthwiseConvolution


def make(
    weights: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    shape: Shape,
    padding: Padding,
    threads: int | None,
) -> FastConvolution:
    """The fastest there is for these weights, (out, in / groups, kh, kw), of the dtype to compute in.

    shape, padding: of the input to expect; others are right, too, if not as fast.
    """
    if not ops.is_gpu(weights.device):
        if weights.dtype == torch.float32 and weights.shape[1] == 1 and len(weights) == geometry.groups:
            return DepthwiseConvolution(weights, bias, geometry, threads)
        try:
            return PackedConvolution(weights, bias, geometry, shape, padding)
        except (AttributeError, RuntimeError):
            pass
    return TorchConvolution(weights, bias, geometry)


def prepared(x: Tensor, dtype: torch.dtype, padding: Padding, within: Range) -> tuple[Tensor, Pair]:
    """`x` in channels-last memory and the padding still to come: none if it differs at both ends."""
    rows, columns = padding
    pad = rows[0], columns[0]
    x = x.to(dtype)
    if within != EVERYTHING:
        x = x.clamp(*within)
    if rows[0] != rows[1] or columns[0] != columns[1]:
        x, pad = functional.pad(x, (*columns, *rows)), (0, 0)
    return x.contiguous(memory_format=torch.channels_last), pad


def bounds_of(step: fold.Step) -> Range | None:
    """Between what a step cuts values off, if that is what it does."""
    if step[0] == "clip":
        return step[1], step[2]
    return (0.0, inf) if step == ("relu", 0.0) else None
