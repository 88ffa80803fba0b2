"""Tensor-core convolutions: exact on small integers, whose products and sums have no rounding, and within the
precision's error of double precision on other values."""

import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.epilogue import BatchNorm, Bias, Clip, ReLU, Scale, Sum
from tests import reference
from tests.ops.tensor_core_cases import KERNELS, PRECISIONS, random_case
from tests.values import normal

pytestmark = pytest.mark.slow


def needs(device, wgmma):
    if wgmma and not device.emulated and torch.cuda.get_device_capability() != (9, 0):
        pytest.skip("needs a GPU of compute capability 9.0")


def integers(*shape, seed=0):
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


def conv(x, w, b=None, *, groups=1, precision="bf16", **named):
    return ops.tensor_core_conv(x, ops.pack_tensor_core(w, b, groups, precision), **named)


def assert_exact(device, x, w, b, precision, tile, wgmma, stride, pad, dilation, groups=1):
    y = device(
        conv, x, w, b, groups=groups, precision=precision, stride=stride, pad=pad, dilation=dilation,
        tile=tile, wgmma=wgmma, float_output=True,
    )  # fmt: skip
    expected = F.conv2d(x.double(), w.double(), b.double(), stride, pad, dilation, groups)
    assert torch.equal(y.double(), expected)


@pytest.mark.parametrize(("precision", "rows", "columns", "wgmma"), KERNELS)
def test_every_kernel_is_exact_on_integers(device, precision, rows, columns, wgmma):
    needs(device, wgmma)
    # More tiles than one in both directions, taps left out, several rounds of the stages.
    out = columns + (21 if columns == 32 else 24)
    x, w, b = integers(2, 64, 9, 10), integers(out, 64, 3, 3, seed=1), integers(out, seed=2)
    assert_exact(device, x, w, b, precision, (rows, columns), wgmma, (1, 1), (4, 4), (4, 4))


def check_random(device, seed, largest):
    rng = random.Random(seed)
    kernels = [kernel for kernel in KERNELS if device.emulated or not kernel[3] or can_wgmma()]
    precision, rows, columns, wgmma = kernels[seed % len(kernels)]
    x, w, stride, pad, dilation, groups = random_case(rng, largest, columns == 32)
    data = integers(*x, seed=seed), integers(*w, seed=seed + 1), integers(w[0], seed=seed + 2)
    assert_exact(device, *data, precision, (rows, columns), wgmma, stride, pad, dilation, groups)


def can_wgmma():
    return torch.cuda.get_device_capability() == (9, 0)


@pytest.mark.parametrize("seed", range(36))
def test_random_geometry(device, seed):
    check_random(device, seed, 16)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
@pytest.mark.parametrize("seed", range(300))
def test_random_geometry_large(device, seed):
    check_random(device, seed, 72)


# Relative to the norm of the result; operands are rounded to 8, 11 and 11 bits, fp32's products keep 22.
ERROR = {"bf16": 4e-3, "fp16": 5e-4, "tf32": 5e-4, "fp32": 1.5e-6}
# What the sums add to that: tensor cores cut off, once for 16 or 8 products; fp32 sums only 32 terms there.
SUMS = {"bf16": 4e-6, "fp16": 4e-6, "tf32": 4e-6, "fp32": 1.5e-6}


@pytest.mark.parametrize("wgmma", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_error(device, precision, wgmma):
    needs(device, wgmma)
    x, w, b = normal(1, 96, 9, 8), normal(40, 96, 3, 3, seed=1) / 30, normal(40, seed=2)
    geometry = {"stride": (1, 1), "pad": (2, 2), "dilation": (2, 2)}
    y = device(conv, x, w, b, precision=precision, wgmma=wgmma, float_output=True, **geometry).double()
    true = F.conv2d(
        x.double(), w.double(), b.double(), **{"padding" if k == "pad" else k: v for k, v in geometry.items()}
    )
    error = float((y - true).norm() / true.norm())
    assert error < ERROR[precision]
    rounded = reference.tensor_core_conv(x, w, b, precision=precision, **geometry)
    assert float((y - rounded).norm() / true.norm()) < SUMS[precision]
    # In the precision's own dtype the result is the same, rounded once.
    own = device(conv, x, w, b, precision=precision, wgmma=wgmma, **geometry)
    assert own.dtype == ops.TENSOR_CORE_DTYPES[precision]
    assert torch.equal(own, y.float().to(own.dtype))


def test_fp32_sums_by_chunk(device):
    """Three tf32 products are nearer than float32 sums; one product, or bf16, is far from it."""
    x, w = normal(1, 512, 5, 5), normal(32, 512, 3, 3, seed=1)
    true = F.conv2d(x.double(), w.double(), padding=1)
    for wgmma in (False, True):
        if wgmma and not device.emulated and not can_wgmma():
            continue
        y = device(conv, x, w, precision="fp32", pad=(1, 1), wgmma=wgmma).double()
        plain = F.conv2d(x, w, padding=1).double()
        assert float((y - true).norm()) < (1 if device.emulated else 4) * float((plain - true).norm())


STEPS = [
    lambda other, v: [ReLU()],
    lambda other, v: [ReLU(0.25), Clip(-0.5, 2.0)],
    lambda other, v: [Sum(other, 1.0, 0.5), ReLU(), Scale(v[0])],
    lambda other, v: [BatchNorm(v[0], v[1]), Scale(v[1]), Bias(v[2]), Sum(other, -2.0, 1.0, True)],
]


@pytest.mark.parametrize("channels", [40, 21])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("float_output", [False, True])
def test_epilogue(device, steps, channels, float_output):
    x, w, b = normal(2, 16, 6, 7), normal(2 * channels, 8, 3, 3, seed=1), normal(2 * channels, seed=2)
    other = normal(2, 2 * channels, 6, 7, seed=3).bfloat16()
    if float_output:
        other = other.float()
    epilogue = steps(other, [normal(2 * channels, seed=4 + i).abs() + 0.5 for i in range(3)])
    named = {"groups": 2, "pad": (2, 2), "dilation": (2, 2)}

    def with_epilogue(x, w, b, *steps):
        return conv(x, w, b, epilogue=steps, float_output=float_output, **named)

    y = device(with_epilogue, x, w, b, *epilogue)
    expected = reference.tensor_core_conv(x, w, b, epilogue=epilogue, precision="bf16", **named)
    assert y.dtype == (torch.float32 if float_output else torch.bfloat16)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5 if float_output else 4e-3, atol=1e-5)


@pytest.mark.parametrize("wgmma", [False, True])
def test_branches_of_one_launch(device, wgmma):
    """As in atrous spatial pyramid pooling: one input, several rates, kernels and numbers of channels."""
    needs(device, wgmma)
    x = integers(2, 64, 11, 12)
    weights = [
        integers(n, 64, *k, seed=i) for i, (n, k) in enumerate([(21, (3, 3)), (40, (3, 3)), (70, (1, 1))])
    ]
    rates, pads = [(3, 3), (6, 6), (1, 1)], [(3, 3), (6, 6), (0, 0)]

    def all_of(x, *weights):
        branches = [
            ops.TensorCoreBranch(ops.pack_tensor_core(w), pad=p, dilation=d, epilogue=[ReLU()])
            for w, p, d in zip(weights, pads, rates, strict=True)
        ]
        return ops.tensor_core_convs(x, branches, float_output=True, wgmma=wgmma)

    for y, w, p, d in zip(device(all_of, x, *weights), weights, pads, rates, strict=True):
        assert torch.equal(y, F.conv2d(x, w, padding=p, dilation=d).relu())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("stride", "size"), [((1, 1), None), ((2, 1), None), ((1, 1), (7, 8))])
def test_few_outputs_are_summed_by_tap(device, precision, stride, size):
    x, w, b = integers(2, 128, 9, 8), integers(21, 128, 3, 3, seed=1), integers(21, seed=2)
    other = integers(*F.conv2d(x, w, stride=stride, padding=3, dilation=3).shape, seed=3)
    if size:
        other = other[:, :, : size[0], : size[1]]

    def both(x, w, b, other):
        packed = [ops.pack_tensor_core(w, b, 1, precision, by_tap) for by_tap in (True, False)]
        steps = [Sum(other, 1.0, 2.0), ReLU()]
        branches = [ops.TensorCoreBranch(p, stride, (3, 3), (3, 3), steps, size) for p in packed]
        branches.append(ops.TensorCoreBranch(packed[0], pad=(6, 6), dilation=(6, 6)))
        return ops.tensor_core_convs(x, branches, float_output=True)

    y = F.conv2d(x, w, b, stride, 3, 3)[:, :, : other.shape[2], : other.shape[3]]
    first, second, third = device(both, x, w, b, other)
    assert torch.equal(first, (y + 2 * other).relu())
    assert torch.equal(second, first)
    assert torch.equal(third, F.conv2d(x, w, b, 1, 6, 6))


def test_by_tap_is_for_few_outputs_of_many_channels():
    shapes = {(21, 2048, 3, 3): True, (21, 128, 3, 3): False, (64, 512, 3, 3): False, (21, 1024, 1, 1): False}
    for shape, by_tap in shapes.items():
        assert ops.pack_tensor_core(torch.zeros(shape)).by_tap == by_tap


def test_unaligned_memory(device):
    x, w = integers(1 + 16 * 5 * 6).bfloat16(), integers(24, 16, 1, 1)

    def shifted(x, w):
        return conv(x[1:].view(1, 5, 6, 16).permute(0, 3, 1, 2), w, float_output=True)

    expected = F.conv2d(x[1:].view(1, 5, 6, 16).permute(0, 3, 1, 2).float(), w)
    assert torch.equal(device(shifted, x, w), expected)


def shifted(x):
    """The same values, in memory that begins 4 bytes behind a multiple of 16."""
    return torch.cat([x.new_zeros(4 // x.element_size()), x.flatten()])[4 // x.element_size() :].view(x.shape)


def test_packed_weights_in_unaligned_memory(device):
    x, w, b = integers(2, 64, 5, 6), integers(24, 64, 1, 1), integers(24, seed=1)

    def moved(x, w, b):
        packed = ops.pack_tensor_core(w, b)
        packed = replace(packed, values=shifted(packed.values), bias=shifted(packed.bias))
        exact = ops.atrous_conv(x, shifted(ops.pack_weights(w)), packed_shape=tuple(w.shape))
        return ops.tensor_core_conv(x, packed, float_output=True), exact

    on_cores, exact = device(moved, x, w, b)
    assert torch.equal(on_cores, F.conv2d(x, w, b)) and torch.equal(exact, F.conv2d(x, w))


@pytest.mark.parametrize("wgmma", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_image_has_the_same_bits_in_any_batch(device, precision, wgmma):
    """Taps left out add nothing, so it does not matter which positions share a tile."""
    needs(device, wgmma)
    x, w = normal(3, 96, 7, 6), normal(24, 96, 3, 3, seed=1)
    named = {"precision": precision, "pad": (3, 3), "dilation": (3, 3), "wgmma": wgmma, "tile": (64, 64)}
    together = device(conv, x, w, **named)
    alone = [device(conv, x[i : i + 1], w, **named) for i in range(3)]
    assert torch.equal(together, torch.cat(alone))


def test_channels_last_memory_is_kept(device):
    x = integers(2, 16, 5, 6).bfloat16().contiguous(memory_format=torch.channels_last)
    y = device(conv, x, integers(24, 16, 1, 1))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_an_output_without_a_tap_is_the_bias(device):
    """Padding so wide that some outputs see nothing of the image."""
    x, w, b = integers(1, 64, 3, 3), integers(8, 64, 2, 2), integers(8)
    for tile, wgmma in (((64, 64), False), ((64, 64), True)):
        if not wgmma or device.emulated or can_wgmma():
            assert_exact(device, x, w, b, "bf16", tile, wgmma, (1, 1), (12, 12), (1, 1))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", PRECISIONS)
def test_runs_give_the_same_bits(precision):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    x, w = normal(4, 256, 41, 41).cuda(), normal(256, 256, 3, 3, seed=1).cuda()
    packed = ops.pack_tensor_core(w, precision=precision)
    torch.cuda.synchronize()  # other streams read what this one packs
    streams = [torch.cuda.Stream() for _ in range(4)]
    results = []
    for run in range(20):
        with torch.cuda.stream(streams[run % 4]):
            results.append(ops.tensor_core_conv(x, packed, pad=(12, 12), dilation=(12, 12)))
    torch.cuda.synchronize()
    assert all(torch.equal(results[0], result) for result in results)


@pytest.mark.gpu
def test_second_device():
    if not torch.cuda.is_available() or torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    x, w = integers(1, 64, 9, 9), integers(24, 64, 3, 3)
    y = conv(x.to("cuda:1"), w.to("cuda:1"), pad=(2, 2), dilation=(2, 2), float_output=True)
    assert y.device == torch.device("cuda:1")
    assert torch.equal(y.cpu(), F.conv2d(x, w, padding=2, dilation=2))


def test_errors(device):
    x, w = integers(1, 16, 5, 5), integers(8, 16, 3, 3)
    with pytest.raises(DeepLabError, match="precision int8"):
        ops.pack_tensor_core(w, precision="int8")
    with pytest.raises(DeepLabError, match="4-dimensional"):
        ops.pack_tensor_core(w[0])
    with pytest.raises(DeepLabError, match="3 biases"):
        ops.pack_tensor_core(w, torch.zeros(3))
    with pytest.raises(DeepLabError, match="do not fit 8 channels"):
        device(conv, x[:, :8], w)
    with pytest.raises(DeepLabError, match="larger than the padded"):
        device(conv, x, w, dilation=(9, 9))
    with pytest.raises(DeepLabError, match="no kernel has tiles of"):
        device(conv, x, w, tile=(1, 1))
    with pytest.raises(DeepLabError, match="5 steps"):
        device(conv, x, w, epilogue=[ReLU()] * 5)
    with pytest.raises(DeepLabError, match="sum with"):
        device(conv, x, w, epilogue=[Sum(torch.zeros(1))])


def test_the_cpu_has_no_tensor_cores():
    with pytest.raises(DeepLabError, match="on the CPU"):
        conv(integers(1, 16, 5, 5), integers(8, 16, 3, 3))
