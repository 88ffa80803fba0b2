"""Twins of ops.channels_last, in the dtype of the input."""

from math import inf

import torch

from .convolution import Pair
from .spatial import interp

Tensor = torch.Tensor


def interp_channels_last(x: Tensor, size: Pair, crop: Pair = (0, 0), half_pixel: bool = False) -> Tensor:
    """See ops.interp_channels_last."""
    return interp(x, size, crop, half_pixel).contiguous(memory_format=torch.channels_last)


def depthwise_channels_last(
    x: Tensor,
    weights: Tensor,
    bias: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    *,
    within: tuple[float, float] = (-inf, inf),
    bounds: tuple[float, float] = (-inf, inf),
    size: Pair | None = None,
) -> Tensor:
    """See ops.depthwise_channels_last."""
    x = x.clamp(*within)
    kernel, height, width = weights.shape[:2], *x.shape[2:]
    reach = [dilation[i] * (kernel[i] - 1) for i in range(2)]
    size = size or tuple((x.shape[2 + i] + 2 * pad[i] - reach[i] - 1) // stride[i] + 1 for i in range(2))
    y = bias.view(1, -1, 1, 1).repeat(len(x), 1, *size)
    for oy in range(size[0]):
        for ox in range(size[1]):
            for ky in range(kernel[0]):
                for kx in range(kernel[1]):
                    row = oy * stride[0] - pad[0] + ky * dilation[0]
                    column = ox * stride[1] - pad[1] + kx * dilation[1]
                    if 0 <= row < height and 0 <= column < width:
                        y[:, :, oy, ox] += weights[ky, kx] * x[:, :, row, column]
    return y.clamp(*bounds)
