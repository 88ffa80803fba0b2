"""Gradients of the convolution: bits against the twins, values against torch, threads, errors."""

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference

# batch, channels, size, out, kernel, stride, pad, dilation, groups
CASES = {
    "plain": (2, 3, (9, 10), 8, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "holes": (1, 9, (30, 19), 50, (3, 3), (1, 1), (4, 4), (4, 4), 1),
    "far": (1, 2, (9, 10), 3, (3, 3), (1, 1), (12, 12), (12, 12), 1),
    "one tap": (2, 10, (7, 5), 20, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "deep": (1, 3, (4, 5), 1000, (2, 2), (1, 1), (1, 1), (1, 1), 1),
    "strided": (2, 4, (17, 12), 6, (7, 7), (2, 2), (3, 3), (1, 1), 1),
    "strided tap": (1, 4, (8, 9), 6, (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "strided holes": (1, 4, (11, 12), 6, (3, 2), (2, 3), (2, 1), (2, 3), 2),
    "much padding": (1, 3, (6, 6), 5, (3, 3), (1, 1), (4, 3), (1, 1), 1),
    "groups": (2, 6, (9, 9), 9, (3, 3), (1, 1), (1, 1), (1, 1), 3),
    "small": (3, 7, (9, 8), 11, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "small holes": (2, 3, (9, 8), 6, (3, 3), (1, 1), (2, 2), (2, 2), 1),
    "small groups": (2, 12, (9, 8), 12, (3, 3), (1, 2), (1, 1), (1, 1), 4),
    "positions": (1, 2, (33, 30), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
}


def operands(case):
    batch, channels, size, out, kernel, stride, pad, dilation, groups = CASES[case]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, channels, *size, generator=generator)
    w = torch.randn(out, channels // groups, *kernel, generator=generator)
    y = torch.conv2d(x, w, None, stride, pad, dilation, groups)
    return x, w, torch.randn(y.shape, generator=generator), (stride, pad, dilation, groups)


@pytest.mark.parametrize("case", [pytest.param(c, marks=[pytest.mark.slow] * (c == "deep")) for c in CASES])
def test_bits(case):
    x, w, dy, geometry = operands(case)
    dx = ops.conv_data_gradient(dy, w, tuple(x.shape[2:]), *geometry, threads=1)
    assert torch.equal(dx, reference.conv_data_gradient(dy, w, tuple(x.shape[2:]), *geometry))
    dw = ops.conv_weight_gradient(x, dy, tuple(w.shape[2:]), *geometry, threads=1)
    assert torch.equal(dw, reference.conv_weight_gradient(x, dy, tuple(w.shape[2:]), *geometry))
    assert torch.equal(dx, ops.conv_data_gradient(dy, w, tuple(x.shape[2:]), *geometry, threads=3))
    assert torch.equal(dw, ops.conv_weight_gradient(x, dy, tuple(w.shape[2:]), *geometry, threads=3))


@pytest.mark.parametrize("case", CASES)
def test_the_twins_are_the_gradients(case):
    x, w, dy, geometry = operands(case)
    x, w, dy = x.double().requires_grad_(), w.double().requires_grad_(), dy.double()
    torch.conv2d(x, w, None, *geometry).backward(dy)
    dx = reference.conv_data_gradient(dy, w.detach(), tuple(x.shape[2:]), *geometry)
    torch.testing.assert_close(dx, x.grad)
    dw = reference.conv_weight_gradient(x.detach(), dy, tuple(w.shape[2:]), *geometry)
    torch.testing.assert_close(dw, w.grad)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_one_channel_a_group(multiplier):
    x = torch.randn(2, 5, 9, 8, dtype=torch.float64, requires_grad=True)
    w = torch.randn(5 * multiplier, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    geometry = (1, 1), (2, 2), (2, 2), 5
    y = torch.conv2d(x, w, None, *geometry)
    dy = torch.randn_like(y)
    y.backward(dy)
    dx = ops.conv_data_gradient(dy.float(), w.detach().float(), (9, 8), *geometry)
    dw = ops.conv_weight_gradient(x.detach().float(), dy.float(), (3, 3), *geometry)
    torch.testing.assert_close(dx, x.grad.float(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dw, w.grad.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 21])
@pytest.mark.parametrize("size", [(4, 3), (23, 21), (65, 65), (95, 95), (8, 4), (3, 1)])
def test_channel_sums(channels, size):
    dy = torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(channels)) * 100 + 1
    sums = ops.channel_sums(dy, threads=1)
    assert torch.equal(sums, ops.channel_sums(dy, threads=2))
    assert torch.equal(sums, reference.channel_sums(dy))
    torch.testing.assert_close(sums, dy.double().sum((0, 2, 3)).float(), rtol=1e-5, atol=0.05)


@pytest.mark.parametrize("case", ["plain", "positions", "deep", "small", "groups"])
def test_passes_add_up_as_images_of_one_batch_do(case):
    x, w, dy, geometry = operands(case)
    kernel = tuple(w.shape[2:])
    whole = ops.conv_weight_gradient(torch.cat([x, x + 1]), torch.cat([dy, dy]), kernel, *geometry)
    parts = ops.conv_weight_gradient(x, dy, kernel, *geometry)
    assert ops.conv_weight_gradient(x + 1, dy, kernel, *geometry, out=parts) is parts
    assert torch.equal(parts, whole)
    sums = ops.channel_sums(dy)
    assert torch.equal(ops.channel_sums(dy, out=sums), ops.channel_sums(torch.cat([dy, dy])))


def test_errors():
    x, w, dy = torch.zeros(1, 4, 5, 5), torch.zeros(3, 4, 3, 3), torch.zeros(1, 3, 3, 3)
    with pytest.raises(DeepLabError, match="conv_data_gradient: input .1, 8, 5, 5., .* do not fit"):
        ops.conv_data_gradient(dy, w, (5, 5), groups=2)
    with pytest.raises(DeepLabError, match="conv_weight_gradient: 3 groups do not divide 4 channels"):
        ops.conv_weight_gradient(x, dy, (3, 3), groups=3)
    with pytest.raises(DeepLabError, match="float32 wanted"):
        ops.conv_data_gradient(dy.double(), w, (5, 5))
