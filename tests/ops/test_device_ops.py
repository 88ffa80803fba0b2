"""The CUDA kernels of the simple ops give the CPU's bits."""

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference

SPECIAL = [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38]


def values(*shape, scale=3.0):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * scale
    flat = x.view(-1)
    flat[: len(SPECIAL)] = torch.tensor(SPECIAL)[: flat.numel()]
    return x


def assert_same_bits(a, b):
    assert a.shape == b.shape
    assert bool(((a.isnan() & b.isnan()) | (a.view(torch.int32) == b.view(torch.int32))).all())


@pytest.mark.parametrize("name", ["relu", "exp", "log"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 1025, 70001])
def test_each(device, name, count):
    op, x = getattr(ops, name), values(count) if count > 9 else torch.arange(count) - 1.0
    assert_same_bits(device(op, x), op(x))


def test_unaligned_and_in_place(device):
    x = values(4099)
    assert_same_bits(device(ops.relu, x[1:], 0.25), ops.relu(x[1:], 0.25))

    def in_place(x):
        return ops.relu(x[3:], -0.5, out=x[3:])

    assert_same_bits(device(in_place, x.clone()), ops.relu(x[3:], -0.5))


@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (1, 3, 1, 1), (3, 4, 33, 31), (2, 37)])
def test_each_channel(device, shape):
    x, a = values(*shape), torch.randn(shape[1])
    b = torch.rand(shape[1]) + 0.1
    assert_same_bits(device(ops.batch_norm, x, a, b), ops.batch_norm(x, a, b))
    assert_same_bits(device(ops.prelu, x, a), ops.prelu(x, a))
    assert_same_bits(device(ops.prelu, x, a[:1]), ops.prelu(x, a[:1]))
    for factor, bias in ((a, b), (a, None), (None, b), (None, None)):
        assert_same_bits(device(ops.scale, x, factor, bias), ops.scale(x, factor, bias))


@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
@pytest.mark.parametrize(
    ("size", "out", "kernel", "stride", "pad"),
    [
        ((40, 41), (40, 41), (3, 3), (1, 1), (1, 1)),
        ((40, 41), (21, 21), (3, 3), (2, 2), (1, 1)),
        ((41, 40), (21, 20), (2, 2), (2, 2), (0, 0)),
        ((7, 9), (3, 6), (5, 4), (3, 2), (2, 3)),
        ((5, 6), (3, 3), (1, 1), (3, 3), (0, 0)),
        ((3, 3), (3, 3), (7, 7), (1, 1), (3, 3)),
    ],
)
def test_pool(device, name, size, out, kernel, stride, pad):
    op, x = getattr(ops, name), values(2, 3, *size)
    assert_same_bits(device(op, x, out, kernel, stride, pad), op(x, out, kernel, stride, pad))


@pytest.mark.parametrize("operation", ops.ELTWISE_OPERATIONS)
@pytest.mark.parametrize("count", [2, 3, 9, 20])
@pytest.mark.parametrize("offset", [0, 1])
def test_eltwise(device, operation, count, offset):
    bottoms = [values(1031 + i)[:1027] for i in range(count)]
    coefficients = [1.0, -0.5, *[0.3 * i for i in range(2, count)]]

    def shifted(bottoms):
        return ops.eltwise(operation, [bottom[offset:] for bottom in bottoms], coefficients)

    assert_same_bits(device(shifted, bottoms), shifted(bottoms))

    def in_place(bottoms):
        return ops.eltwise(operation, bottoms, coefficients, out=bottoms[0])

    wanted = ops.eltwise(operation, bottoms, coefficients)
    assert_same_bits(device(in_place, [bottom.clone() for bottom in bottoms]), wanted)


INTERPOLATIONS = [
    ((41, 49), (81, 97), (0, 0)),
    ((9, 7), (9, 7), (0, 0)),
    ((41, 49), (1, 1), (1, 2)),
    ((12, 13), (9, 10), (1, 2)),
    ((5, 6), (33, 2), (0, 1)),
    ((1, 1), (3, 4), (0, 0)),
]


@pytest.mark.parametrize("half_pixel", [False, True])
@pytest.mark.parametrize(("size", "out", "crop"), INTERPOLATIONS)
def test_interp(device, size, out, crop, half_pixel):
    x = values(3, 7, *size)
    assert_same_bits(device(ops.interp, x, out, crop, half_pixel), ops.interp(x, out, crop, half_pixel))
    wanted = ops.interp_argmax(x, out, crop, half_pixel)
    assert_same_bits(device(ops.interp_argmax, x, out, crop, half_pixel), wanted)
    x = torch.randn(3, 7, *size)
    wanted = reference.interp_argmax(x, out, crop, half_pixel)
    assert_same_bits(ops.interp_argmax(x, out, crop, half_pixel), wanted)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((2, 21, 13, 11), 1),  # in label order
        ((1, 21, 130, 127), 1),  # beyond 16384 positions: in groups, the ends otherwise
        ((2, 4, 9, 7), 1),
        ((1, 60, 71, 61), 1),
        ((1, 131, 9, 5), 1),  # more labels than shared memory takes
        ((5, 1, 3), 1),
        ((3, 4, 10), -1),
    ],
)
def test_softmax_and_argmax(device, shape, axis):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(5)) * 4
    assert_same_bits(device(ops.softmax, x, axis), ops.softmax(x, axis))
    assert_same_bits(device(lambda x: ops.softmax(x, axis, out=x), x.clone()), ops.softmax(x, axis))
    ties = (x * 2).round()
    ties.view(-1)[::7] = float("nan")
    for top_k in {1, min(3, shape[axis])}:
        for y in (x, ties):
            for got, wanted in zip(
                device(ops.argmax, y, axis, top_k), ops.argmax(y, axis, top_k), strict=True
            ):
                assert_same_bits(got, wanted)


def test_ops_that_stay_on_the_host(device):
    x = torch.rand(1000) + 0.1
    assert_same_bits(device(ops.tanh, x), ops.tanh(x))
    assert_same_bits(device(ops.power, x, -0.75), ops.power(x, -0.75))
    probability, label = ops.softmax(torch.randn(2, 5, 3, 3)), torch.randint(0, 5, (2, 1, 3, 3)).float()
    assert device(ops.softmax_loss, probability, label) == ops.softmax_loss(probability, label)


def test_tensors_on_other_devices():
    x = torch.zeros(3, device="meta")
    with pytest.raises(DeepLabError, match="meta given, cpu or cuda wanted"):
        ops.relu(x)
    with pytest.raises(DeepLabError, match="mean: on cpu, meta wanted"):
        ops.batch_norm(torch.zeros(1, 3, 2, device="meta"), torch.zeros(3), torch.zeros(3))
