"""The twin of ops.convolution: one output channel and one tap at a time, in the canonical order."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from deeplab_caffe.ops.epilogue import BatchNorm, Bias, EpilogueOp, ReLU, Scale, Sum
from deeplab_caffe.types import Pair
from tests.reference.elementwise import relu
from tests.reference.eltwise import eltwise, fma

Tensor = torch.Tensor


def reduction_blocks(depth: int) -> list[tuple[int, int]]:
    """The canonical blocks [begin, end) of a sum over `depth` terms (OpenBLAS 0.3.21, SkylakeX, Q = 448)."""
    blocks, begin = [], 0
    while begin < depth:
        rest = depth - begin
        length = 448 if rest >= 896 else (rest // 2 + 15) // 16 * 16 if rest > 448 else rest
        blocks.append((begin, begin + length))
        begin += length
    return blocks


def apply(op: EpilogueOp, y: Tensor) -> Tensor:
    """One op of the epilogue."""

    def channels(values: Tensor) -> Tensor:
        return values.reshape(1, -1, 1, 1)

    match op:
        case Bias(shift):
            return y + channels(shift)
        case Scale(scale):
            return y * channels(scale)
        case BatchNorm(mean, std):
            return (y - channels(mean)) / channels(std)
        case Sum(other, coefficient, other_coefficient, after):
            terms = [(coefficient, y), (other_coefficient, other)]
            coefficients, bottoms = zip(*(reversed(terms) if after else terms), strict=True)
            return eltwise("sum", list(bottoms), list(coefficients))
        case ReLU(slope):
            return relu(y, slope)
    if isinstance(op, EpilogueOp):  # of one value: torch's own operator
        return op.apply_(y.clone())
    raise TypeError(f"{op} is no EpilogueOp")


def atrous_conv(
    x: Tensor,
    weights: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[EpilogueOp] = (),
    size: Pair | None = None,
) -> Tensor:
    """See ops.atrous_conv; weights are plain."""
    batch, channels, height, width = x.shape
    out_channels, per_group, kernel_h, kernel_w = weights.shape
    out_h, out_w = size or (
        (height + 2 * pad[0] - dilation[0] * (kernel_h - 1) - 1) // stride[0] + 1,
        (width + 2 * pad[1] - dilation[1] * (kernel_w - 1) - 1) // stride[1] + 1,
    )
    behind_h = (out_h - 1) * stride[0] + dilation[0] * (kernel_h - 1) + 1 - height - pad[0]
    behind_w = (out_w - 1) * stride[1] + dilation[1] * (kernel_w - 1) + 1 - width - pad[1]
    padded = F.pad(x, (pad[1], behind_w, pad[0], behind_h)).double()
    y = x.new_empty(batch, out_channels, out_h, out_w)
    rows = out_channels // groups
    for group in range(groups):
        terms = []  # for each k, the values [batch, 1, out_h, out_w] its weight meets
        for channel in range(group * per_group, (group + 1) * per_group):
            for ky in range(kernel_h):
                for kx in range(kernel_w):
                    top, left = ky * dilation[0], kx * dilation[1]
                    bottom, right = top + (out_h - 1) * stride[0] + 1, left + (out_w - 1) * stride[1] + 1
                    terms.append(padded[:, channel, None, top : bottom : stride[0], left : right : stride[1]])
        w = weights[group * rows : (group + 1) * rows].reshape(rows, -1).double()
        total = None
        for begin, end in reduction_blocks(len(terms)):
            acc = x.new_zeros(batch, rows, out_h, out_w)
            for k in range(begin, end):
                acc = fma(w[:, k].view(1, rows, 1, 1), terms[k], acc)
            total = acc if total is None else total + acc
        y[:, group * rows : (group + 1) * rows] = total
    for op in epilogue:
        y = apply(op, y)
    return y


def epilogue_rows(y: Tensor, epilogue: Sequence[EpilogueOp], first: int) -> Tensor:
    """The epilogue on some rows of a convolution; a Sum's other term has them from row `first` on."""
    for op in epilogue:
        if isinstance(op, Sum):
            op = replace(op, other=op.other[:, :, first : first + y.shape[2]])
        y = apply(op, y)
    return y
