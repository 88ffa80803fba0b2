"""A convolution of torch's, for `forward_fast`.

torch.conv2d has oneDNN bring the weights into its own order at each call. torch's compiler does so once, and
has oneDNN add a tensor in the same pass; the operators it uses for that are used here, too. (Not for ReLU and
clip: there oneDNN loses NaN.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ... import ops
from ...ops.epilogue import EpilogueOp, Sum
from ...types import Pair, Shape
from . import fold

Padding = list[Pair]  # before and behind the rows, and the columns


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

    def __call__(self, x: Tensor, padding: Padding, epilogue: Sequence[EpilogueOp]) -> Tensor:
        """The convolution of x, then the epilogue."""
        x, pad = prepared(x, self.dtype, padding)
        g = self.geometry
        y = functional.conv2d(x, self.weights, self.bias, g.stride, pad, g.dilation, g.groups)
        return fold.apply(y, epilogue)


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

    def __call__(self, x: Tensor, padding: Padding, epilogue: Sequence[EpilogueOp]) -> Tensor:
        """See TorchConvolution."""
        if self.weights.is_mkldnn and tuple(x.shape) != self._shape:
            self.weights = self.weights.to_dense().contiguous(memory_format=torch.channels_last)
        x, pad = prepared(x, self.dtype, padding)
        g = self.geometry
        numbers = self.weights, self.bias, pad, g.stride, g.dilation, g.groups
        first = epilogue[0] if epilogue else None
        if isinstance(first, Sum) and first.coefficient == first.other_coefficient == 1:
            other = first.other.to(self.dtype).contiguous(memory_format=torch.channels_last)
            y = self._convolve.binary(x, other, *numbers, "add", 1.0, None, [], None)
            return fold.apply(y, epilogue[1:])
        return fold.apply(self._convolve(x, *numbers, "none", [], None), epilogue)


FastConvolution = TorchConvolution | PackedConvolution


def make(
    weights: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    shape: Shape,
    padding: Padding,
) -> FastConvolution:
    """The fastest there is for these weights, (out, in / groups, kh, kw), of the dtype to compute in.

    shape, padding: of the input to expect; others are right, too, if not as fast.
    """
    if not ops.backend_of(weights.device).is_gpu:
        try:
            return PackedConvolution(weights, bias, geometry, shape, padding)
        except (AttributeError, RuntimeError):
            pass
    return TorchConvolution(weights, bias, geometry)


def prepared(x: Tensor, dtype: torch.dtype, padding: Padding) -> tuple[Tensor, Pair]:
    """`x` in channels-last memory and the padding still to come: none if it differs at both ends."""
    rows, columns = padding
    pad = rows[0], columns[0]
    x = x.to(dtype)
    if rows[0] != rows[1] or columns[0] != columns[1]:
        x, pad = functional.pad(x, (*columns, *rows)), (0, 0)
    return x.contiguous(memory_format=torch.channels_last), pad
