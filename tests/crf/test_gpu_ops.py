"""The CRF's CUDA kernels (emulated on the host, or on a GPU) have the bits of the CPU's."""

import numpy as np
import pytest
import torch

from deeplab_caffe.crf import cpu_ops
from deeplab_caffe.crf import gpu_ops as ops
from deeplab_caffe.errors import DeepLabError


def equal(result, expected):
    return torch.equal(result.cpu(), torch.from_numpy(np.ascontiguousarray(expected)))


def compare(device, dims, points, labels, spread, *, true_exp=False, pre=False, iterations=2):
    """Everything over random features; the smaller their spread, the longer the vertices' lists."""
    generator = np.random.default_rng(dims * 1000 + points)
    features = generator.random((dims, points), np.float32) * np.float32(spread)
    unary = generator.random((points, labels), np.float32) * 4
    before = generator.random(points, np.float32) + np.float32(0.5) if pre else None
    weights = generator.random(labels, np.float32)
    matrix = generator.standard_normal((labels, labels)).astype(np.float32)

    lattice = cpu_ops.lattice(features)
    ones = cpu_ops.lattice_ones(lattice)
    scale = np.float32(3) * cpu_ops.norms(ones, False)
    kernels = [
        cpu_ops.Pairwise(lattice, scale, before),
        cpu_ops.Pairwise(lattice, scale, None, weights),
        cpu_ops.Pairwise(lattice, scale, None, None, matrix),
    ]
    start = cpu_ops.mean_field_start(unary, true_exp)
    end = cpu_ops.mean_field_iterate(kernels, unary, start.copy(), iterations, true_exp)

    def to(x):
        return None if x is None else device.to(torch.from_numpy(x))

    with device.kernels():
        twin = ops.lattice(to(features))
        assert twin.vertices == lattice.vertices
        assert equal(ops.lattice_ones(twin), ones)
        for root in (False, True):
            assert equal(ops.norms(to(ones), root), cpu_ops.norms(ones, root))
        for adjoint in (False, True):
            expected = cpu_ops.lattice_filter(lattice, unary, before, adjoint)
            assert equal(ops.lattice_filter(twin, to(unary), to(before), adjoint), expected)
        q = ops.mean_field_start(to(unary), true_exp)
        assert equal(q, start)
        kernels = [
            ops.Pairwise(twin, to(scale), to(before)),
            ops.Pairwise(twin, to(scale), None, to(weights)),
            ops.Pairwise(twin, to(scale), None, None, to(matrix)),
        ]
        q = ops.mean_field_iterate(kernels, to(unary), q, iterations, true_exp)
        assert equal(q, end)
        assert equal(ops.best_labels(q), cpu_ops.best_labels(end))


@pytest.mark.parametrize("dims", range(1, 17))
def test_dimensions(device, dims):
    compare(device, dims, 61, 5, 2)


@pytest.mark.parametrize(
    "dims, points, labels, spread, options",
    [
        (2, 1, 1, 1, {}),
        (2, 5, 2, 1, {}),
        (5, 203, 21, 3, {"pre": True}),
        (5, 700, 21, 0.05, {"true_exp": True}),
        pytest.param(3, 1500, 33, 0.5, {"pre": True}, marks=pytest.mark.slow),
        pytest.param(5, 400, 150, 0.3, {"iterations": 1}, marks=pytest.mark.slow),
        pytest.param(2, 300, 300, 2, {"iterations": 1}, marks=pytest.mark.slow),
        (1, 40, 1000, 2, {"iterations": 1}),
        (5, 6000, 3, 0.05, {"iterations": 1}),
    ],
)
def test_sizes(device, dims, points, labels, spread, options):
    compare(device, dims, points, labels, spread, **options)


def test_more_vertices_than_a_digit_and_tiles(device):
    """Several passes of the sort over several tiles, and long lists of each class."""
    generator = np.random.default_rng(0)
    features = np.concatenate(
        [generator.random((3, 2000)) * 30, generator.random((3, 5000)) * 0.01], 1, dtype=np.float32
    )
    values = generator.random((7000, 2), np.float32)
    lattice = cpu_ops.lattice(features)
    assert lattice.vertices > 1 << 12
    with device.kernels():
        twin = ops.lattice(device.to(torch.from_numpy(features)))
        assert twin.vertices == lattice.vertices
        result = ops.lattice_filter(twin, device.to(torch.from_numpy(values)))
    assert equal(result, cpu_ops.lattice_filter(lattice, values))


def test_images_do_not_meet(device):
    generator = np.random.default_rng(0)
    sizes = [1, 7, 60, 4, 33]
    features = [generator.random((5, size), np.float32) for size in sizes]
    values = [generator.random((size, 6), np.float32) for size in sizes]
    expected = [cpu_ops.lattice_filter(cpu_ops.lattice(f), v) for f, v in zip(features, values, strict=True)]
    with device.kernels():
        lattice = ops.lattice(device.to(torch.from_numpy(np.concatenate(features, 1))), sizes)
        result = ops.lattice_filter(lattice, device.to(torch.from_numpy(np.concatenate(values))))
    assert equal(result, np.concatenate(expected))


def test_runs_are_equal(device):
    """Threads that race for a slot of the hash table leave no trace."""
    features = device.to(torch.from_numpy(np.random.default_rng(0).random((5, 500), np.float32)))
    values = device.to(torch.rand(500, 4, generator=torch.Generator().manual_seed(0)))
    with device.kernels():
        results = [ops.lattice_filter(ops.lattice(features), values) for _ in range(3)]
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_features_too_large(device, value):
    features = torch.zeros(2, 9)
    features[1, 4] = value
    with device.kernels(), pytest.raises(DeepLabError, match="16-bit"):
        ops.lattice(device.to(features))


def test_errors(device):
    with device.kernels():
        with pytest.raises(DeepLabError, match="1 to 16 wanted"):
            ops.lattice(device.to(torch.zeros(17, 4)))
        with pytest.raises(DeepLabError, match="0 points"):
            ops.lattice(device.to(torch.zeros(2, 0)))
        with pytest.raises(DeepLabError, match="images of 3, 2"):
            ops.lattice(device.to(torch.zeros(2, 4)), [3, 2])
        lattice = ops.lattice(device.to(torch.zeros(2, 4)))
        with pytest.raises(DeepLabError, match="a lattice of 4 points"):
            ops.lattice_filter(lattice, device.to(torch.zeros(5, 2)))
        with pytest.raises(DeepLabError, match="at most 1024 labels"):
            ops.mean_field_start(device.to(torch.zeros(4, 1025)))
        unary = torch.zeros(40, 3)
        unary[7] = float("inf")
        unary[9, 1] = float("nan")
        with pytest.raises(DeepLabError, match="point 7 has the energies inf, inf, inf;"):
            ops.mean_field_start(device.to(unary))
        scale = device.to(torch.full((4,), 3e38))
        q = ops.mean_field_start(device.to(torch.zeros(4, 2)))
        with pytest.raises(DeepLabError, match="logits of point 0 overflow"):
            ops.mean_field_iterate([ops.Pairwise(lattice, scale)] * 2, torch.zeros_like(q), q, 2)
        with pytest.raises(DeepLabError, match="at most 8 kernels"):
            ops.mean_field_iterate([ops.Pairwise(lattice, scale)] * 9, torch.zeros_like(q), q)
