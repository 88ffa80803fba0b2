"""Other forms of the CUDA kernels (csrc/platform/cuda/switches.h) have the bits of today's."""

import random

import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.crf.refinement import image_crf
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.device_convolution import TILE_VARIABLE
from tests.device import has_module
from tests.values import normal

pytestmark = pytest.mark.slow

CONVOLUTIONS = [
    (variant, name)
    for variant in ("ignore_source", "consumer_fence", "cluster_weights")
    for name in ops.TENSOR_CORE_DTYPES
]
# Of blocks that share their weights.
CLUSTERS = [
    (name, rows, columns)
    for name in ops.TENSOR_CORE_DTYPES
    for rows, columns, wgmma in ops.tensor_core_shapes(name)
    if wgmma
]


@pytest.fixture
def both(device, request):
    """both(function, ...): its result in today's form of the kernels and in the variant's."""

    def run(variant, function, *arguments):
        module = ("_cuda_emulated_" if device.emulated else "_cuda_") + variant
        if not has_module(module):
            pytest.skip(f"{module} is not built (DEEPLAB_CAFFE_VARIANTS=all)")
        results = []
        for name in ("", variant):
            with ops.cuda_variant(name):
                results.append(device(function, *arguments))
        return results

    return run


def geometries(seed):
    """Some of channels, kernel, rate, stride and padding."""
    rng = random.Random(seed)
    for _ in range(6):
        rate = rng.choice([1, 2, 5])
        yield (
            rng.choice([3, 20, 72, 136]),
            rng.choice([1, 3]),
            rate,
            rng.choice([1, 2]),
            rng.choice([0, rate]),
        )


def needs_hopper(device, wgmma=True):
    if wgmma and not device.emulated and torch.cuda.get_device_capability() != (9, 0):
        pytest.skip("needs a GPU of compute capability 9.0")


@pytest.mark.parametrize(("variant", "precision"), CONVOLUTIONS)
@pytest.mark.parametrize("wgmma", [False, True])
def test_tensor_cores(both, variant, precision, wgmma, device):
    needs_hopper(device, wgmma)
    for seed, (channels, kernel, rate, stride, pad) in enumerate(geometries(1)):
        x, w = normal(2, channels, 12, 11, seed=seed), normal(45, channels, kernel, kernel, seed=seed + 1)

        def convolve(x, w, rate=rate, stride=stride, pad=pad):
            packed = ops.pack_tensor_core(w, None, 1, precision)
            named = {"stride": (stride, stride), "pad": (pad, pad), "dilation": (rate, rate)}
            return ops.tensor_core_conv(x, packed, wgmma=wgmma, float_output=True, **named)

        today, other = both(variant, convolve, x, w)
        assert torch.equal(today, other)


# Batch, height and width of the output: less than the rows of one block, an odd and an even number of blocks'
# rows, more pairs of blocks than one; the last block may have nothing to do.
POSITIONS = [(1, 5, 7), (1, 9, 13), (2, 12, 11), (3, 13, 10)]


@pytest.mark.parametrize(("precision", "rows", "columns"), CLUSTERS)
def test_clusters(device, precision, rows, columns):
    module = "_cuda_emulated_cluster_weights" if device.emulated else "_cuda_cluster_weights"
    if not has_module(module):
        pytest.skip(f"{module} is not built (DEEPLAB_CAFFE_VARIANTS=cluster_weights)")
    needs_hopper(device)
    for seed, (batch, height, width) in enumerate(POSITIONS):
        out = [columns + 24, 2 * columns, 8][seed % 3]  # the last tile's weights are fewer
        x, w = normal(batch, 72, height, width, seed=seed), normal(out, 72, 3, 3, seed=seed + 9)
        rate = (1, 4, 6)[seed % 3]

        def convolve(x, w, b, cluster, rate=rate):
            named = {"pad": (rate, rate), "dilation": (rate, rate), "wgmma": True, "float_output": True}
            packed = ops.pack_tensor_core(w, b, 1, precision)
            return ops.tensor_core_conv(x, packed, tile=(rows, columns, cluster), **named)

        b = normal(out, seed=seed + 5)
        today = device(convolve, x, w, b, 1)
        with ops.cuda_variant("cluster_weights"):
            assert torch.equal(device(convolve, x, w, b, 2), today)


def test_clusters_are_of_their_variant(device):
    needs_hopper(device)
    x, w = normal(1, 16, 5, 5), normal(8, 16, 3, 3)

    def convolve(x, w):
        return ops.tensor_core_conv(x, ops.pack_tensor_core(w), tile=(64, 64, 2), wgmma=True)

    with pytest.raises(DeepLabError, match=r"no kernel has tiles of \(64, 64, 2\)"):
        device(convolve, x, w)


@pytest.mark.parametrize("tile", ["", "128x128x128,whole"])
def test_exact(both, tile, monkeypatch):
    monkeypatch.setenv(TILE_VARIABLE, tile)
    for seed, (channels, kernel, rate, stride, pad) in enumerate(geometries(2)):
        x, w = normal(2, channels, 12, 11, seed=seed), normal(45, channels, kernel, kernel, seed=seed + 1)

        def convolve(x, w, rate=rate, stride=stride, pad=pad):
            return ops.atrous_conv(x, w, (stride, stride), (pad, pad), (rate, rate))

        today, other = both("register_banks", convolve, x, w)
        expected = ops.atrous_conv(x, w, (stride, stride), (pad, pad), (rate, rate))
        assert torch.equal(today, other) and torch.equal(today, expected)


@pytest.mark.parametrize("labels", [3, 21, 40])
def test_blur(both, labels):
    generator = np.random.default_rng(labels)
    image = torch.from_numpy(generator.integers(0, 256, (14, 19, 3), np.uint8))
    energies = torch.from_numpy(generator.random((14, 19, labels), np.float32) * 4)

    def infer(image, energies):
        return image_crf(image, labels, device="cuda").unary(energies).infer(3)

    today, other = both("fused_blur", infer, image, energies)
    expected = image_crf(image.numpy(), labels).unary(energies.numpy()).infer(3)
    assert torch.equal(today, other) and np.array_equal(today.numpy(), expected.reshape(today.shape))
