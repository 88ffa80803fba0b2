"""Twins of ops.spatial, in the dtype of the input."""

import torch

from deeplab_caffe.types import Pair
from tests.reference.labels import argmax

Tensor = torch.Tensor


def max_pool(x: Tensor, size: Pair, kernel: Pair, stride: Pair = (1, 1), pad: Pair = (0, 0)) -> Tensor:
    """See ops.max_pool."""
    y = x.new_full((*x.shape[:2], *size), torch.finfo(torch.float32).min)
    for i in range(size[0]):
        for j in range(size[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            rows = slice(max(top, 0), max(top + kernel[0], 0))
            window = x[:, :, rows, max(left, 0) : max(left + kernel[1], 0)]
            if window.numel():
                y[:, :, i, j] = window.amax((2, 3))
    return y


def average_pool(x: Tensor, size: Pair, kernel: Pair, stride: Pair = (1, 1), pad: Pair = (0, 0)) -> Tensor:
    """See ops.average_pool."""
    height, width = x.shape[2:]
    y = x.new_zeros(*x.shape[:2], *size)
    for i in range(size[0]):
        for j in range(size[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            bottom, right = min(top + kernel[0], height + pad[0]), min(left + kernel[1], width + pad[1])
            for row in range(max(top, 0), min(bottom, height)):
                for column in range(max(left, 0), min(right, width)):
                    y[:, :, i, j] += x[:, :, row, column]
            y[:, :, i, j] /= (bottom - top) * (right - left)
    return y


def _taps(
    size: int, out_size: int, dtype: torch.dtype, half_pixel: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    positions = torch.arange(out_size, dtype=dtype)
    if half_pixel:
        ratio = torch.tensor(size, dtype=dtype) / out_size
        position = (ratio * (positions + 0.5) - 0.5).clamp(min=0)
    elif out_size > 1:
        position = torch.tensor(size - 1, dtype=dtype) / (out_size - 1) * positions
    else:
        position = torch.zeros_like(positions)
    low = position.long().clamp(max=size - 1)
    high_weight = position - low
    return low, (low + 1).clamp(max=size - 1), 1 - high_weight, high_weight


def interp(x: Tensor, size: Pair, crop: Pair = (0, 0), half_pixel: bool = False) -> Tensor:
    """See ops.interp."""
    begin, end = crop
    x = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]
    if tuple(x.shape[2:]) == tuple(size):
        return x.clone()
    top, bottom, top_weight, bottom_weight = _taps(x.shape[2], size[0], x.dtype, half_pixel)
    left, right, left_weight, right_weight = _taps(x.shape[3], size[1], x.dtype, half_pixel)
    wide = left_weight * x[..., left] + right_weight * x[..., right]
    return top_weight[:, None] * wide[:, :, top] + bottom_weight[:, None] * wide[:, :, bottom]


def interp_argmax(x: Tensor, size: Pair, crop: Pair = (0, 0), half_pixel: bool = False) -> Tensor:
    """See ops.interp_argmax."""
    return argmax(interp(x, size, crop, half_pixel))[0]
