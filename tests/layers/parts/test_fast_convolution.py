from math import nan

import pytest
import torch
from torch.nn import functional

from deeplab_caffe.layers.parts import fast_convolution
from deeplab_caffe.layers.parts.fast_convolution import Geometry
from deeplab_caffe.ops.epilogue import Clip, ReLU, Scale, Sum
from tests.values import normal

NONE, ONE = [(0, 0), (0, 0)], [(1, 1), (1, 1)]
KINDS = {
    "pointwise": ((24, 16, 1, 1), Geometry((1, 1), (1, 1), 1), NONE),
    "strided": ((8, 3, 3, 3), Geometry((2, 2), (1, 1), 1), ONE),
    "atrous": ((21, 16, 3, 3), Geometry((1, 1), (2, 2), 1), [(2, 2), (2, 2)]),
    "groups": ((8, 4, 3, 3), Geometry((1, 1), (1, 1), 2), ONE),
    "depthwise": ((20, 1, 3, 3), Geometry((1, 1), (3, 3), 20), [(3, 3), (3, 3)]),
    "uneven": ((8, 4, 3, 3), Geometry((2, 2), (1, 1), 1), [(0, 1), (0, 1)]),
    "uneven depthwise": ((20, 1, 3, 3), Geometry((2, 2), (1, 1), 20), [(0, 1), (0, 1)]),
}


def case(kind, size=(12, 10), bias=True):
    shape, geometry, padding = KINDS[kind]
    x = normal(2, shape[1] * geometry.groups, *size)
    weights = normal(*shape, seed=1)
    return x, weights, normal(shape[0], seed=2) if bias else None, geometry, padding


def plain(x, weights, bias, g, padding):
    (top, bottom), (left, right) = padding
    x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weights, bias, g.stride, 0, g.dilation, g.groups)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_with_steps(kind, bias):
    x, weights, b, geometry, padding = case(kind, bias=bias)
    convolve = fast_convolution.make(weights, b, geometry, tuple(x.shape), padding)
    y = plain(x, weights, b, geometry, padding)
    other, factor = normal(*y.shape, seed=3), normal(y.shape[1], seed=4)
    for steps, wanted in (
        ([], y),
        ([ReLU()], y.relu()),
        ([ReLU(0.25)], functional.leaky_relu(y, 0.25)),
        ([Clip(0.0, 1.0)], y.clamp(0, 1)),
        ([ReLU(), Clip(0.5, 1.0)], y.clamp(0.5, 1)),
        ([Sum(other), ReLU()], (y + other).relu()),
        ([Sum(other, 0.5, -2.0, True)], 0.5 * y - 2 * other),
        ([Clip(0.0, 1.0), Scale(factor)], y.clamp(0, 1) * factor.view(1, -1, 1, 1)),
    ):
        before = other.clone()
        result = convolve(x, padding, steps)
        torch.testing.assert_close(result, wanted, rtol=1e-4, atol=1e-4)
        assert result.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(other, before)


@pytest.mark.parametrize("kind", KINDS)
def test_other_sizes(kind):
    x, weights, bias, geometry, padding = case(kind)
    convolve = fast_convolution.make(weights, bias, geometry, tuple(x.shape), padding)
    for size in ((12, 10), (9, 17), (12, 10)):
        x = case(kind, size)[0]
        wanted = plain(x, weights, bias, geometry, padding)
        torch.testing.assert_close(convolve(x, padding, []), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [[ReLU()], [Clip(0.0, 6.0)]])
def test_nan_stays(kind, steps):
    x, weights, bias, geometry, padding = case(kind)
    x[1, :, 5, 5] = nan
    y = fast_convolution.make(weights, bias, geometry, tuple(x.shape), padding)(x, padding, steps)
    wanted = plain(x, weights, bias, geometry, padding).isnan()
    assert wanted.any() and torch.equal(y.isnan(), wanted)


@pytest.mark.parametrize("missing", ["_reorder_convolution_weight", "_convolution_pointwise"])
def test_torch_without_packed_weights(monkeypatch, missing):
    class Operators:
        def __getattr__(self, name):
            if name == missing:
                raise AttributeError(name)
            return getattr(mkldnn, name)

    mkldnn = torch.ops.mkldnn
    x, weights, bias, geometry, padding = case("atrous")
    monkeypatch.setattr(torch.ops, "mkldnn", Operators())
    convolve = fast_convolution.make(weights, bias, geometry, tuple(x.shape), padding)
    assert isinstance(convolve, fast_convolution.TorchConvolution)
    wanted = plain(x, weights, bias, geometry, padding)
    torch.testing.assert_close(convolve(x, padding, []), wanted, rtol=1e-4, atol=1e-4)


def test_bfloat16():
    x, weights, bias, geometry, padding = case("atrous")
    half = weights.bfloat16(), bias.bfloat16()
    y = fast_convolution.make(*half, geometry, tuple(x.shape), padding)(x, padding, [ReLU()])
    assert y.dtype == torch.bfloat16
    wanted = plain(x, weights, bias, geometry, padding).relu()
    assert (y - wanted).norm() < 1e-2 * wanted.norm()
