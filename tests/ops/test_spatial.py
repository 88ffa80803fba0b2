import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference
from tests.values import same_bits

LOWEST = torch.finfo(torch.float32).min


def out_size(size, kernel, stride, pad):
    """Caffe's rule: rounded up; with padding no window starts at or beyond the far padding."""
    out = [-(-(s + 2 * p - k) // t) + 1 for s, k, t, p in zip(size, kernel, stride, pad, strict=True)]
    return tuple(
        o - 1 if max(pad) and (o - 1) * t >= s + p else o
        for o, s, t, p in zip(out, size, stride, pad, strict=True)
    )


GEOMETRIES = [
    ((40, 41), (3, 3), (1, 1), (1, 1)),
    ((40, 41), (3, 3), (2, 2), (1, 1)),
    ((41, 40), (3, 3), (2, 2), (0, 0)),
    ((41, 40), (2, 2), (2, 2), (0, 0)),
    ((7, 9), (5, 4), (3, 2), (2, 3)),
    ((5, 6), (1, 1), (3, 3), (0, 0)),
    ((9, 8), (9, 8), (1, 1), (0, 0)),
    ((3, 3), (7, 7), (1, 1), (3, 3)),
    ((6, 50), (2, 5), (5, 7), (1, 0)),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
def test_pool(name, geometry):
    size, kernel, stride, pad = geometry
    x = torch.randn(2, 11, *size, generator=torch.Generator().manual_seed(3))
    out = out_size(*geometry)
    expected = getattr(reference, name)(x, out, kernel, stride, pad)
    for threads in (1, 2):
        assert same_bits(getattr(ops, name)(x, out, kernel, stride, pad, threads=threads), expected)


def test_max_pool_keeps_the_first_zero_and_ignores_nan():
    x = torch.tensor([[-1.0, -0.0, 0.0], [0.0, -0.0, -1.0], [float("nan"), -2.0, -3.0]]).view(1, 1, 3, 3)
    y = ops.max_pool(x, (3, 3), (3, 3), (1, 1), (1, 1))
    assert (
        y.view(torch.int32)[0, 0, 0].tolist() == torch.tensor([-0.0, -0.0, -0.0]).view(torch.int32).tolist()
    )
    only_nan = torch.full((1, 1, 2, 2), float("nan"))
    assert ops.max_pool(only_nan, (1, 1), (2, 2)).item() == LOWEST


def test_max_pool_window_without_input():
    # 5 values, kernel 1, stride 3, rounded up: the last window starts at 6.
    x = torch.arange(25.0).view(1, 1, 5, 5)
    assert ops.max_pool(x, (3, 3), (1, 1), (3, 3))[0, 0, 2].tolist() == [LOWEST] * 3


@pytest.mark.parametrize("size", [(41, 49), (81, 97), (1, 1), (17, 200), (13, 9), (40, 48), (41, 2)])
@pytest.mark.parametrize("crop", [(0, 0), (1, 2)])
def test_interp(size, crop):
    x = torch.randn(2, 3, 41, 49, generator=torch.Generator().manual_seed(4))
    expected = reference.interp(x, size, crop)
    for threads in (1, 2):
        assert same_bits(ops.interp(x, size, crop, threads=threads), expected)


def test_interp_extremes():
    x = torch.randn(1, 2, 1, 1)
    assert torch.equal(ops.interp(x, (3, 4)), x.expand(1, 2, 3, 4))
    x = torch.randn(1, 1, 5, 1000)
    for out in (3, 999, 1001, 1999, 7993):
        assert same_bits(ops.interp(x, (5, out)), reference.interp(x, (5, out)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.max_pool(x, (0, 1), (3, 3)), "size"),
        (lambda x: ops.max_pool(x, (1, 1), (0, 3)), "kernel"),
        (lambda x: ops.average_pool(x, (1, 1), (3, 3), (0, 1)), "stride"),
        (lambda x: ops.average_pool(x, (1, 1), (3, 3), (1, 1), (-1, 0)), "pad"),
        (lambda x: ops.interp(x, (0, 5)), "size"),
        (lambda x: ops.interp(x, (5, 5), (2, 3)), "cropped"),
        (lambda x: ops.interp(x[0], (5, 5)), "dimensions"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(DeepLabError, match=message):
        call(torch.zeros(1, 1, 5, 5))
