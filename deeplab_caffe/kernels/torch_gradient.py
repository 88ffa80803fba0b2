"""The gradients of atrous convolutions by torch's kernels: on a GPU, which has none of ours."""

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.devices import torch_precision
from ..types import Pair, Shape, plane


def of_data(
    dy: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    rate: Pair,
    groups: int,
    size: Pair,
    precision: str,
) -> Tensor:
    """See atrous_ops.data_gradient."""
    shape = dy.shape[0], weight.shape[1] * groups, *size
    around = _padding(size, plane(dy.shape), plane(weight.shape), stride, padding, rate)
    x = dy.new_empty(_padded(shape, around))
    dx, _, _ = _backward(dy, x, weight.to(dy.dtype), stride, rate, groups, precision)
    return functional.pad(dx, [-behind for behind in around]).contiguous()


def of_weight(
    x: Tensor,
    dy: Tensor,
    stride: Pair,
    padding: Pair,
    rate: Pair,
    groups: int,
    kernel: Pair,
    precision: str,
) -> Tensor:
    """See atrous_ops.weight_gradient."""
    around = _padding(plane(x.shape), plane(dy.shape), kernel, stride, padding, rate)
    weight = dy.new_empty(dy.shape[1], x.shape[1] // groups, *kernel)
    padded = functional.pad(x.to(dy.dtype), around)
    _, dw, _ = _backward(dy, padded, weight, stride, rate, groups, precision)
    return dw.to(x.dtype).contiguous()


def _padding(size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Pair, rate: Pair) -> list[int]:
    """What is to be padded (left, right, top, bottom) so that all windows lie inside, and only those."""
    behind = [(out[i] - 1) * stride[i] + rate[i] * (kernel[i] - 1) + 1 - size[i] - padding[i] for i in (0, 1)]
    return [padding[1], behind[1], padding[0], behind[0]]


def _padded(shape: Shape, around: list[int]) -> Shape:
    left, right, top, bottom = around
    return *shape[:2], shape[2] + top + bottom, shape[3] + left + right


def _backward(
    dy: Tensor, x: Tensor, weight: Tensor, stride: Pair, rate: Pair, groups: int, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    with torch_precision(precision):
        return torch.ops.aten.convolution_backward(
            dy, x, weight, None, stride, (0, 0), rate, False, (0, 0), groups, [True, True, False]
        )
