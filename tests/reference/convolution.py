"""The twin of ops.convolution: one output channel and one tap at a time, in the canonical order."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from tests.reference.elementwise import relu
from tests.reference.eltwise import eltwise, fma

Tensor = torch.Tensor
Pair = tuple[int, int]
Step = tuple[Any, ...]


def reduction_blocks(depth: int) -> list[tuple[int, int]]:
    """The canonical blocks [begin, end) of a sum over `depth` terms (OpenBLAS 0.3.21, SkylakeX, Q = 448)."""
    blocks, begin = [], 0
    while begin < depth:
        rest = depth - begin
        length = 448 if rest >= 896 else (rest // 2 + 15) // 16 * 16 if rest > 448 else rest
        blocks.append((begin, begin + length))
        begin += length
    return blocks


def _apply(step: Step, y: Tensor) -> Tensor:
    """One step of the epilogue, see ops.atrous_conv."""
    kind, *operands = step
    if kind == "relu":
        return relu(y, operands[0])
    if kind == "clip":
        return y.clamp(*operands)
    if kind == "sum":
        other, own_coefficient, other_coefficient, after = operands
        terms = [(own_coefficient, y), (other_coefficient, other)]
        coefficients, bottoms = zip(*(reversed(terms) if after else terms), strict=True)
        return eltwise("sum", list(bottoms), list(coefficients))
    values = [value.reshape(1, -1, 1, 1) for value in operands]
    if kind == "batch_norm":
        return (y - values[0]) / values[1]
    return y + values[0] if kind == "bias" else y * values[0]


def atrous_conv(
    x: Tensor,
    weights: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[Step] = (),
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
    padded = F.pad(x, (pad[1], behind_w, pad[0], behind_h))
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
        w = weights[group * rows : (group + 1) * rows].reshape(rows, -1)
        total = None
        for begin, end in reduction_blocks(len(terms)):
            acc = x.new_zeros(batch, rows, out_h, out_w)
            for k in range(begin, end):
                acc = fma(w[:, k].view(1, rows, 1, 1).expand_as(acc), terms[k].expand_as(acc), acc)
            total = acc if total is None else total + acc
        y[:, group * rows : (group + 1) * rows] = total
    for step in epilogue:
        y = _apply(step, y)
    return y


def atrous_conv_rows(
    x: Tensor,
    weights: Tensor,
    rows: Pair,
    height: int,
    x_first: int,
    out: Tensor,
    out_first: int,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[Step] = (),
) -> Tensor:
    """See ops.atrous_conv_rows; weights are plain. Works on the whole image, zeros where x has no rows."""
    whole = F.pad(x, (0, 0, x_first, height - x_first - x.shape[2]))
    y = atrous_conv(whole, weights, stride, pad, dilation, groups)
    first, end = rows[0] - out_first, rows[1] - out_first
    result = y[:, :, rows[0] : rows[1]]
    for kind, *operands in epilogue:
        if kind == "sum":
            operands[0] = operands[0][:, :, first:end]
        result = _apply((kind, *operands), result)
    out[:, :, first:end] = result
    return out
