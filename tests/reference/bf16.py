"""The twin of the convolution in bf16: what Intel's manual says of VDPBF16PS and TDPBF16PS, pair by pair."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F

from deeplab_caffe.ops.epilogue import EpilogueOp
from deeplab_caffe.types import Pair
from tests.reference.convolution import apply
from tests.reference.eltwise import fma

Tensor = torch.Tensor
CHUNK = 32  # channels that are multiplied at once


def flush(x: Tensor) -> Tensor:
    """Denormal numbers as zeros."""
    return torch.where(x.abs() < torch.finfo(torch.float32).tiny, torch.zeros_like(x).copysign(x), x)


def rounded(x: Tensor) -> Tensor:
    """The nearest bf16, as float32."""
    return flush(x).bfloat16().float()


def terms(weights: Tensor, inputs: Tensor, first: int, end: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight and input of each channel from `first` to `end`, with zeros up to an even number.

    weights: [out, channels]; inputs: [batch, channels, height, width].
    """
    for channel in range(first, end + (end - first) % 2):
        inside = channel < weights.shape[1]
        w = weights[:, channel] if inside else torch.zeros(len(weights))
        x = inputs[:, channel : channel + 1] if inside else torch.zeros_like(inputs[:, :1])
        shape = len(inputs), len(weights), *inputs.shape[2:]
        yield w.view(1, -1, 1, 1).expand(shape), x.expand(shape)


def add_pairs(total: Tensor, products: list[tuple[Tensor, Tensor]]) -> Tensor:
    """VDPBF16PS: of each pair first the second product, then the first."""
    for (w0, x0), (w1, x1) in zip(products[::2], products[1::2], strict=True):
        total = flush(fma(w0, x0, flush(fma(w1, x1, total))))
    return total


def add_tile(total: Tensor, products: list[tuple[Tensor, Tensor]]) -> Tensor:
    """TDPBF16PS: the first products of the pairs in one chain, the second in another."""
    chains = []
    for half in range(2):
        chain = torch.zeros_like(total)
        for w, x in products[half::2]:
            chain = flush(fma(w, x, chain))
        chains.append(chain)
    return flush(total + flush(chains[0] + chains[1]))


def atrous_conv_bf16(
    x: Tensor,
    weights: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    epilogue: Sequence[EpilogueOp] = (),
    bf16: str = "avx512_plain",
) -> Tensor:
    """See ops.atrous_conv; weights are plain, padding is summed as zeros."""
    _, _, kernel_h, kernel_w = weights.shape
    padded = rounded(F.pad(x, (pad[1], pad[1], pad[0], pad[0])))
    out_h = (padded.shape[2] - dilation[0] * (kernel_h - 1) - 1) // stride[0] + 1
    out_w = (padded.shape[3] - dilation[1] * (kernel_w - 1) - 1) // stride[1] + 1
    taps = []  # of each: its weights, and the inputs that they meet
    for ky in range(kernel_h):
        for kx in range(kernel_w):
            top, left = ky * dilation[0], kx * dilation[1]
            rows = slice(top, top + (out_h - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (out_w - 1) * stride[1] + 1, stride[1])
            taps.append((rounded(weights[:, :, ky, kx]), padded[:, :, rows, columns]))
    by_tiles = bf16.startswith("amx")
    total = torch.zeros(len(x), len(weights), out_h, out_w)
    block = max(1, 320 // (len(taps) * CHUNK)) * CHUNK
    for begin in range(0, x.shape[1], block):
        end = min(begin + block, x.shape[1])
        part = total if by_tiles else torch.zeros_like(total)
        for tap in taps:
            for first in range(begin, end, CHUNK):
                products = list(terms(*tap, first, min(first + CHUNK, end)))
                part = (add_tile if by_tiles else add_pairs)(part, products)
        total = part if by_tiles or begin == 0 else total + part
    for op in epilogue:
        total = apply(op, total)
    return total
