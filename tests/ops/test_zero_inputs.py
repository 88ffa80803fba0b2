"""Sums that leave out inputs of zero have the bits of those that do not."""

import pytest
import torch

from deeplab_caffe import _C, ops
from deeplab_caffe._C import ZeroInputs

DEFAULTS = {"stride": (1, 1), "pad": (0, 0), "dilation": (1, 1)}


def has_ways() -> bool:
    return ops.isa() in ("avx2", "neon")


def geometry(x: torch.Tensor, weights: torch.Tensor, **options) -> ops.ConvGeometry:
    stride, pad, dilation = (options.get(name, default) for name, default in DEFAULTS.items())
    return ops.ConvGeometry.of(tuple(x.shape), tuple(weights.shape), stride, pad, dilation, 1, None)


def way(x: torch.Tensor, weights: torch.Tensor, **options) -> _C.ZeroInputs:
    packed = ops.pack_weights(weights)
    native = geometry(x, weights, **options).native()
    return _C.choose_zero_inputs(native, x.data_ptr(), packed.data_ptr(), 1)


def sums_of_all(x: torch.Tensor, weights: torch.Tensor, **options) -> torch.Tensor:
    """A further output channel with an infinite weight: nothing may be left out then."""
    infinite = torch.full_like(weights[:1], torch.inf)
    wider = torch.cat([weights, infinite])
    assert way(x, wider, **options) == ZeroInputs.summed
    return ops.atrous_conv(x, wider, **options)[:, : len(weights)]


def assert_same_bits(x: torch.Tensor, weights: torch.Tensor, **options) -> None:
    expected = sums_of_all(x, weights, **options)
    for threads in (1, 3):
        got = ops.atrous_conv(x, weights, threads=threads, **options)
        differ = got.view(torch.int32) != expected.view(torch.int32)
        # Which NaN it is, is not promised anywhere.
        assert not (differ & ~(got.isnan() & expected.isnan())).any()


def inputs(shape: tuple[int, ...], zeros: float, run: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers, of which that share is zero, `run` neighbours at a time, some of them -0."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    width = shape[-1]
    zero = torch.rand((*shape[:-1], width // run + 1), generator=generator) < zeros
    zero = zero.repeat_interleave(run, -1)[..., :width]
    sign = torch.randint(2, shape, generator=generator) * 2.0 - 1
    return torch.where(zero, 0.0 * sign, x)


def weights_of(out: int, channels: int, kernel: int) -> torch.Tensor:
    return torch.randn((out, channels, kernel, kernel), generator=torch.Generator().manual_seed(1))


CASES = {
    "dense": (0.0, 1, ZeroInputs.summed),
    "scattered zeros": (0.3, 1, ZeroInputs.summed),
    "pairs": (0.6, 2, ZeroInputs.left_out_of_pairs),
    "long runs": (0.6, 200, ZeroInputs.left_out_of_tiles),
    "all zero": (1.0, 1, ZeroInputs.left_out_of_tiles),
}


@pytest.mark.parametrize("case", CASES)
def test_the_way_depends_on_the_inputs(case):
    zeros, run, expected = CASES[case]
    x, weights = inputs((1, 64, 30, 200), zeros, run), weights_of(256, 64, 3)
    if ops.isa() == "neon" and expected == ZeroInputs.left_out_of_pairs:
        expected = ZeroInputs.summed
    assert way(x, weights, pad=(1, 1)) == (expected if has_ways() else ZeroInputs.summed)
    assert_same_bits(x, weights, pad=(1, 1))


@pytest.mark.parametrize("run", [2, 100])
@pytest.mark.parametrize(
    "shape, out, kernel, options",
    [
        ((2, 33, 9, 41), 92, 3, {"pad": (1, 1)}),
        ((1, 160, 7, 30), 72, 3, {"pad": (4, 4), "dilation": (4, 4)}),  # several blocks; many taps outside
        ((1, 500, 6, 29), 136, 1, {}),
        ((3, 40, 11, 60), 80, 3, {"stride": (2, 2), "pad": (1, 0)}),
        ((1, 150, 3, 25), 40, 2, {"pad": (30, 2)}),  # outputs that see the padding only
        ((1, 70, 1, 25), 52, 1, {}),  # a tile and one more position
    ],
)
def test_bits(shape, out, kernel, options, run):
    x, weights = inputs(shape, 0.8, run), weights_of(out, shape[1], kernel)
    assert_same_bits(x, weights, **options)


@pytest.mark.parametrize("run", [2, 100])
def test_sums_of_negative_zero(run):
    """Products too small for a float leave -0 behind, which a later zero may turn into +0."""
    x, weights = inputs((1, 128, 8, 60), 0.7, run) * 1e-23, weights_of(128, 128, 3) * 1e-23
    x[:, -1, :, :30] = 0  # what comes last decides the sign
    x[:, -1, :, 30:] = 1e-23
    if has_ways():
        assert way(x, weights, pad=(1, 1)) != ZeroInputs.summed
    expected = sums_of_all(x, weights, pad=(1, 1))
    signs = torch.signbit(expected[expected == 0])
    assert signs.any() and not signs.all()
    assert_same_bits(x, weights, pad=(1, 1))


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_a_weight_that_is_not_finite(value):
    x, weights = inputs((1, 64, 10, 60), 0.9, 60), weights_of(128, 64, 3)
    weights[77, 3, 1, 2] = value
    assert way(x, weights, pad=(1, 1)) == ZeroInputs.summed
    assert ops.atrous_conv(x, weights, pad=(1, 1))[:, 77].isnan().any()


@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_an_input_that_is_not_finite(value):
    x, weights = inputs((1, 64, 10, 60), 0.7, 2), weights_of(128, 64, 3)
    x[0, 7, 4, 30] = value
    assert_same_bits(x, weights, pad=(1, 1))
    assert not ops.atrous_conv(x, weights, pad=(1, 1))[0, :, 3:6, 29:32].isfinite().any()


def test_an_empty_batch():
    assert ops.atrous_conv(torch.empty(0, 64, 30, 60), weights_of(64, 64, 3)).shape == (0, 64, 28, 58)


def test_a_band_is_judged_by_its_own_rows():
    """The rows beside it may not even be in memory."""
    x, weights = inputs((1, 64, 40, 60), 1.0, 60), weights_of(128, 64, 3)
    x[:, :, 16:30] = inputs((1, 64, 14, 60), 0.0, 1)
    packed, whole = ops.pack_weights(weights), geometry(x, weights, pad=(1, 1))

    def way_of_rows(first: int, last: int) -> _C.ZeroInputs:
        band = whole.of_rows((first, last), x[0, 0].numel(), whole.out_size[0] * whole.out_size[1])
        return _C.choose_zero_inputs(band.native(), x.data_ptr(), packed.data_ptr(), 1)

    assert way_of_rows(17, 29) == ZeroInputs.summed
    if has_ways():
        assert way_of_rows(0, 15) == way_of_rows(31, 40) == ZeroInputs.left_out_of_tiles
    out = torch.empty(1, 128, 12, 60)
    held = x[:, :, 16:30].contiguous()
    ops.atrous_conv_rows(held, packed, tuple(weights.shape), (17, 29), 40, 16, out, 17, pad=(1, 1))
    assert torch.equal(out, ops.atrous_conv(x, weights, pad=(1, 1))[:, :, 17:29])


@pytest.mark.parametrize("run", [2, 100])
def test_data_gradient(run):
    """Behind a ReLU, gradients of zero are left out, too."""
    dy, weights = inputs((2, 130, 9, 60), 0.8, run), weights_of(130, 72, 3)
    infinite = torch.full_like(weights[:, :1], torch.inf)
    options = {"pad": (2, 2), "dilation": (2, 2)}
    wider = ops.conv_data_gradient(dy, torch.cat([weights, infinite], 1), (9, 60), **options)
    got = ops.conv_data_gradient(dy, weights, (9, 60), **options)
    assert torch.equal(got.view(torch.int32), wider[:, :72].contiguous().view(torch.int32))
