"""The twins of ops.conv_gradient: one term at a time, in the canonical order."""

import torch
import torch.nn.functional as F

from deeplab_caffe.types import Pair
from tests.reference.convolution import reduction_blocks
from tests.reference.eltwise import fma

Tensor = torch.Tensor


def _places(stride: Pair, size: Pair, top: int, left: int) -> tuple[slice, slice]:
    """Where a tap that lies `top` rows and `left` columns into the padded input meets it, for all outputs."""
    bottom, right = top + (size[0] - 1) * stride[0] + 1, left + (size[1] - 1) * stride[1] + 1
    return slice(top, bottom, stride[0]), slice(left, right, stride[1])


def _sum(products: list[tuple[Tensor, Tensor]], total: Tensor | None = None) -> Tensor | None:
    """The products' sum by canonical blocks, each of them added to `total`."""
    for begin, end in reduction_blocks(len(products)):
        acc = torch.zeros_like(products[0][0] * products[0][1])
        for a, b in products[begin:end]:
            acc = fma(a, b, acc)
        total = acc if total is None else total + acc
    return total


def conv_data_gradient(
    dy: Tensor,
    weights: Tensor,
    size: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """See ops.conv_data_gradient."""
    out, per_group, kernel_h, kernel_w = weights.shape
    rows = max(size[0] + 2 * pad[0], (dy.shape[2] - 1) * stride[0] + dilation[0] * (kernel_h - 1) + 1)
    columns = max(size[1] + 2 * pad[1], (dy.shape[3] - 1) * stride[1] + dilation[1] * (kernel_w - 1) + 1)
    dx = dy.new_zeros(dy.shape[0], per_group * groups, rows, columns)
    for group, (d, w) in enumerate(zip(dy.chunk(groups, 1), weights.chunk(groups), strict=True)):
        part = dx[:, group * per_group : (group + 1) * per_group]
        for ky in range(kernel_h):
            for kx in range(kernel_w):
                terms = [(d[:, m, None], w[m, :, ky, kx].view(1, -1, 1, 1)) for m in range(out // groups)]
                place = _places(stride, tuple(dy.shape[2:]), ky * dilation[0], kx * dilation[1])
                part[:, :, place[0], place[1]] += _sum(terms)
    return dx[:, :, pad[0] : pad[0] + size[0], pad[1] : pad[1] + size[1]]


def conv_weight_gradient(
    x: Tensor,
    dy: Tensor,
    kernel: Pair,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """See ops.conv_weight_gradient."""
    reach = [(dy.shape[2 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    behind = [max(0, reach[i] - x.shape[2 + i] - pad[i]) for i in (0, 1)]
    padded = F.pad(x, (pad[1], behind[1], pad[0], behind[0]))
    parts = []
    for images, gradients in zip(padded.chunk(groups, 1), dy.chunk(groups, 1), strict=True):
        taps = []
        for ky in range(kernel[0]):
            for kx in range(kernel[1]):
                place = _places(stride, tuple(dy.shape[2:]), ky * dilation[0], kx * dilation[1])
                taps.append(images[:, :, place[0], place[1]])
        columns = torch.stack(taps, 2).flatten(3)  # (batch, channels, taps, positions)
        total = None
        size, positions = gradients.shape[1] * columns.shape[1] * columns.shape[2], columns.shape[3]
        small = size <= 1200 and size * positions <= 1_000_000 and positions >= 32
        for column, d in zip(columns, gradients.flatten(2), strict=True):
            if small:
                part = _small(d, column)
                total = part if total is None else total + part
                continue
            terms = [(d[:, p].view(-1, 1, 1), column[None, :, :, p]) for p in range(d.shape[1])]
            total = _sum(terms, total)
        parts.append(total.view(dy.shape[1] // groups, -1, *kernel))
    return torch.cat(parts)


def channel_sums(dy: Tensor) -> Tensor:
    """See ops.channel_sums."""
    channels, positions = dy.shape[1], dy.shape[2:].numel()
    whole, fours = positions // 4 * 4, channels // 4 * 4
    total = dy.new_zeros(channels)
    for image in dy.flatten(2):
        for begin in range(0, whole, 4096):
            run = image[:, begin : min(begin + 4096, whole)]
            sums = _lanes(run, 8)
            if channels % 4 >= 2:
                sums[fours : fours + 2] = _lanes(run[fours : fours + 2], 4)
            total = total + sums
        if whole < positions:
            total = total + _in_order(image[:, whole:])
    return total


def _in_order(x: Tensor) -> Tensor:
    """The sum over the second axis, first to last."""
    total = x[:, 0]
    for i in range(1, x.shape[1]):
        total = total + x[:, i]
    return total


def _lanes(run: Tensor, lanes: int) -> Tensor:
    """The sum [channels] of [channels, positions] in interleaved chains: see csrc/conv/channel_sums.h."""
    first = run.shape[1] % lanes
    chains = F.pad(run[:, :first], (0, lanes - first))
    for begin in range(first, run.shape[1], lanes):
        chains = chains + run[:, begin : begin + lanes]
    while chains.shape[1] > 4:
        half = chains.shape[1] // 2
        chains = chains[:, :half] + chains[:, half:]
    pairs = chains[:, 0::2] + chains[:, 1::2]
    return pairs[:, 0] + pairs[:, 1]


def lane_dot(a: Tensor, b: Tensor, halves: bool) -> Tensor:
    """The sum over the last axis of a * b in sixteen chains: see csrc/conv/simd/lane_dot.h."""
    a, b = torch.broadcast_tensors(a, b)
    lanes = a.new_zeros(*a.shape[:-1], 16)
    for x, y in zip(a.split(16, -1), b.split(16, -1), strict=True):
        count = x.shape[-1]
        lanes[..., :count] = fma(x, y, lanes[..., :count].clone())
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        low, high = (lanes[..., :half], lanes[..., half:]) if halves else (lanes[..., 0::2], lanes[..., 1::2])
        lanes = low + high
    return lanes[..., 0]


def _small(d: Tensor, column: Tensor) -> Tensor:
    """One image's part [out, channels, taps] where the original's BLAS has its kernel for small products."""
    dots = [lane_dot(d[:, None], column.flatten(0, 1)[None], halves) for halves in (False, True)]
    rows, depth = dots[0].shape
    corner = (torch.arange(rows)[:, None] >= rows // 4 * 4) & (torch.arange(depth) >= depth // 4 * 4)
    return torch.where(corner, dots[1], dots[0]).view(rows, *column.shape[:2])
