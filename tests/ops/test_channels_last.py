from math import inf, nan

import pytest
import torch

from deeplab_caffe import ops, reference
from deeplab_caffe.errors import DeepLabError

LAST = torch.channels_last


def tensor(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels", [1, 7, 16, 37, 64])
@pytest.mark.parametrize("size", [(21, 30), (5, 41), (1, 1), (11, 13), (10, 12)])
@pytest.mark.parametrize(("crop", "half_pixel"), [((0, 0), False), ((1, 0), True)])
def test_interp_has_the_bits_of_planes(channels, size, crop, half_pixel, threads):
    x = tensor(2, channels, 11, 13)
    x[0, 0, 4, 5], x[1, -1, 0, 0] = nan, inf
    y = ops.interp_channels_last(x.contiguous(memory_format=LAST), size, crop, half_pixel, threads=threads)
    assert y.is_contiguous(memory_format=LAST)
    wanted = reference.interp_channels_last(x, size, crop, half_pixel)
    for same in (wanted, ops.interp(x, size, crop, half_pixel)):
        assert torch.equal(y.nan_to_num(12345.0), same.nan_to_num(12345.0))


def test_interp_writes_to_some_channels():
    x, whole = tensor(2, 5, 6, 7), torch.zeros(2, 12, 9, 8).contiguous(memory_format=LAST)
    ops.interp_channels_last(x, (9, 8), out=whole[:, 4:9])
    assert torch.equal(whole[:, 4:9], ops.interp(x, (9, 8)))
    assert not whole[:, :4].any() and not whole[:, 9:].any()
    for wrong in (whole[:, :5].contiguous(), whole[:, :4], whole[:1, :5], whole.double()[:, :5]):
        with pytest.raises(DeepLabError, match="channels-last"):
            ops.interp_channels_last(x, (9, 8), out=wrong)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels", [3, 16, 41, 150])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "dilation"),
    [
        ((3, 3), (1, 1), (1, 1), (1, 1)),
        ((3, 3), (2, 2), (1, 1), (1, 1)),
        ((3, 3), (1, 1), (6, 6), (6, 6)),
        ((3, 3), (1, 1), (20, 20), (20, 20)),
        ((2, 5), (2, 3), (1, 0), (3, 2)),
        ((1, 1), (1, 1), (2, 3), (1, 1)),
    ],
)
def test_depthwise(channels, kernel, stride, pad, dilation, threads):
    x, w, b = tensor(2, channels, 9, 14), tensor(*kernel, channels, seed=1), tensor(channels, seed=2)
    geometry = stride, pad, dilation
    y = ops.depthwise_channels_last(x, w, b, *geometry, threads=threads)
    assert y.is_contiguous(memory_format=LAST)
    torch.testing.assert_close(y, reference.depthwise_channels_last(x, w, b, *geometry), rtol=1e-5, atol=1e-5)
    bounds = {"within": (-0.5, 1.0), "bounds": (0.0, 1.5)}
    y = ops.depthwise_channels_last(x, w, b, *geometry, **bounds, threads=threads)
    wanted = reference.depthwise_channels_last(x, w, b, *geometry, **bounds)
    torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)


def test_depthwise_of_other_padding_behind():
    x, w, b = tensor(1, 20, 8, 9), tensor(3, 3, 20, seed=1), tensor(20, seed=2)
    for size in ((4, 5), (3, 4)):
        y = ops.depthwise_channels_last(x, w, b, (2, 2), (0, 0), size=size)
        wanted = reference.depthwise_channels_last(x, w, b, (2, 2), (0, 0), size=size)
        torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [4, 20])
def test_depthwise_keeps_nan(channels):
    x, w, b = tensor(1, channels, 9, 9), torch.ones(3, 3, channels), torch.zeros(channels)
    x[:, :, 4, 4] = nan
    y = ops.depthwise_channels_last(x, w, b, pad=(1, 1), within=(0, inf), bounds=(0, 6))
    assert torch.equal(y.isnan(), torch.nn.functional.max_pool2d(x.isnan().float(), 3, 1, 1).bool())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.interp_channels_last(x[0], (5, 5)), "dimensional"),
        (lambda x: ops.interp_channels_last(x.double(), (5, 5)), "float64"),
        (lambda x: ops.interp_channels_last(x, (0, 5)), "size"),
        (lambda x: ops.depthwise_channels_last(x, torch.ones(3, 3, 4), torch.ones(5)), "groups"),
        (lambda x: ops.depthwise_channels_last(x, torch.ones(3, 3, 5), torch.ones(4)), "values"),
        (lambda x: ops.depthwise_channels_last(x, torch.ones(9, 9, 5), torch.ones(5)), "larger"),
        (lambda x: ops.depthwise_channels_last(x, torch.ones(3, 3, 5), torch.ones(5), (0, 1)), "positive"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(DeepLabError, match=message):
        call(torch.zeros(1, 5, 5, 5))
