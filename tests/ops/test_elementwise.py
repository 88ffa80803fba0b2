import ctypes
import ctypes.util

import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    float("inf"),
    -float("inf"),
    float("nan"),
    1e-45,
    -1e-45,
    1e-38,
    3.4e38,
    -3.4e38,
]


def values(count, scale=3.0):
    x = torch.randn(count, generator=torch.Generator().manual_seed(count)) * scale
    return torch.cat([x, torch.tensor(SPECIAL)])


def same_bits(a, b):
    both_nan = a.isnan() & b.isnan()
    return bool((both_nan | (a.view(torch.int32) == b.view(torch.int32))).all())


def libm(name, x):
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return torch.tensor([function(v) for v in x.tolist()])


def has_fma():
    try:
        return " fma " in open("/proc/cpuinfo").read() and ctypes.CDLL("libc.so.6").gnu_get_libc_version
    except (OSError, AttributeError):
        return False


@pytest.mark.parametrize("name", ["exp", "log"])
@pytest.mark.skipif(not has_fma(), reason="the C library at hand is not the one whose bits are promised")
def test_exp_log_bits_of_the_c_library(name):
    # Every 30011th float of all 2^32; 30011 is prime, so all exponents and tables' rows are met.
    x = torch.from_numpy(np.arange(0, 2**32, 30011, dtype=np.uint32).view(np.float32).copy())
    assert same_bits(getattr(ops, name)(x), libm(name + "f", x))


def test_exp_where_the_c_librarys_own_variants_differ():
    x = torch.tensor([float.fromhex("0x1.04845ep+5"), float.fromhex("-0x1.f8cbb2p+5")])
    assert [v.hex() for v in ops.exp(x).tolist()] == ["0x1.f93e380000000p+46", "0x1.f453260000000p-92"]


@pytest.mark.parametrize("name", ["exp", "log", "tanh"])
def test_against_float64(name):
    x = values(20000).double().float()
    got, wanted = getattr(ops, name)(x), getattr(torch, name)(x.double())
    finite = wanted.float().isfinite()
    error = (got - wanted).abs()[finite] / wanted.abs()[finite].clamp(min=2.0**-126)
    assert error.max() < 2.0**-22
    assert same_bits(got[~finite], wanted.float()[~finite])


@pytest.mark.parametrize("exponent", [0.5, -0.75, 2.0, 3.0, 0.0])
def test_power(exponent):
    x = values(5000).abs()
    got, wanted = ops.power(x, exponent), x.double().pow(exponent)
    finite = wanted.float().isfinite()
    torch.testing.assert_close(got[finite].double(), wanted[finite], rtol=2e-7, atol=1e-45)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("slope", [0.0, 0.1, -0.5])
def test_relu(slope, threads):
    x = values(70001)
    slope = torch.tensor(slope).item()
    wanted = reference.relu(x, slope)
    assert same_bits(ops.relu(x, slope, threads=threads), wanted)
    assert same_bits(ops.relu(x, slope, threads=threads, out=x), wanted)  # in place


@pytest.mark.parametrize("threads", [1, 2])
def test_batch_norm(threads):
    x = torch.randn(2, 5, 67, 65)
    mean, deviation = torch.randn(5), torch.rand(5) + 0.1
    assert same_bits(
        ops.batch_norm(x, mean, deviation, threads=threads), reference.batch_norm(x, mean, deviation)
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("shape", "axis"), [((5,), 1), ((5, 7), 1), ((7, 9), 2), ((), 1), ((3, 5, 7, 9), 0)])
def test_scale(shape, axis, threads):
    x = torch.randn(3, 5, 7, 9)
    factor, bias = torch.randn(shape), torch.randn(shape)
    for f, b in ((factor, bias), (factor, None), (None, bias), (None, None)):
        assert same_bits(ops.scale(x, f, b, axis, threads=threads), reference.scale(x, f, b, axis))


def test_prelu():
    x = torch.randn(2, 5, 7, 9)
    for slope in (torch.rand(5), torch.rand(1)):
        assert same_bits(ops.prelu(x, slope), reference.prelu(x, slope))


def test_wrong_arguments():
    with pytest.raises(DeepLabError, match="float32 wanted"):
        ops.relu(torch.zeros(3, dtype=torch.float64))
    with pytest.raises(DeepLabError, match="2 values given, 5 wanted"):
        ops.batch_norm(torch.zeros(1, 5, 2, 2), torch.zeros(2), torch.ones(5))
    with pytest.raises(DeepLabError, match="does not fit"):
        ops.scale(torch.zeros(1, 5, 2, 2), torch.zeros(2))
    with pytest.raises(DeepLabError, match="out is"):
        ops.relu(torch.zeros(3), out=torch.zeros(4))
