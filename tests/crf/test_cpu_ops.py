"""The lattice and mean-field kernels against their readable twins, bit for bit."""

import os
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch

from deeplab_caffe import ops as torch_ops
from deeplab_caffe.crf import cpu_ops
from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from tests import reference
from tests.values import same_bits


def numpy(x):
    """Tensors, also in lists and tuples, as numpy arrays."""
    if isinstance(x, torch.Tensor):
        return x.numpy()
    if isinstance(x, tuple):
        return type(x)(*map(numpy, x)) if hasattr(x, "_fields") else tuple(map(numpy, x))
    return [numpy(one) for one in x] if isinstance(x, list) else x


def on_tensors(function):
    def call(*arguments, **options):
        result = function(*numpy(arguments), **options)
        return torch.from_numpy(result) if hasattr(result, "dtype") else result

    return call


OPS = ("lattice", "lattice_filter", "lattice_ones", "mean_field_start", "mean_field_iterate", "mean_field")
ops = SimpleNamespace(Pairwise=cpu_ops.Pairwise, **{name: on_tensors(getattr(cpu_ops, name)) for name in OPS})


def random(*shape, seed=0, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize(
    "d, points, channels",
    [
        (1, 50, 3),
        (2, 33, 1),
        (2, 64, 8),
        (3, 18, 5),
        (5, 47, 21),
        (5, 1, 2),
        (6, 30, 9),
        (9, 21, 33),
        (16, 13, 4),
        (32, 9, 2),
        pytest.param(33, 9, 2, marks=pytest.mark.slow),
        pytest.param(40, 22, 3, marks=pytest.mark.slow),
    ],
)
def test_filter(d, points, channels):
    features, values = random(d, points, scale=2), random(points, channels, seed=1).abs()
    plain = reference.lattice(features)
    ones = reference.lattice_ones(plain)
    filtered = [reference.lattice_filter(plain, values, None, adjoint) for adjoint in (False, True)]
    for threads in (1, 2):
        native = ops.lattice(features, threads=threads)
        assert (native.points, native.dims, native.vertices) == (points, d, plain.neighbours.shape[2])
        for adjoint in (False, True):
            result = ops.lattice_filter(native, values, None, adjoint, threads=threads)
            assert same_bits(result, filtered[adjoint])
        assert same_bits(ops.lattice_ones(native, threads=threads), ones)


@pytest.mark.parametrize("d, points, scale", [(1, 30, 1e6), (2, 41, 2e4), (5, 37, 25500), (34, 6, 1e5)])
def test_wide_keys(d, points, scale):
    """Features beyond 16-bit coordinates: the bits of the twin in doubles; without wide_keys, an error."""
    features, values = random(d, points, scale=scale), random(points, 3, seed=1).abs()
    features[:, 1] = features[:, 0]  # points in one simplex
    features[0, 2] = features[0, 0] + 0.25
    plain = reference.lattice(features.double())
    plain = plain._replace(weights=plain.weights.float())
    filtered = [reference.lattice_filter(plain, values, None, adjoint) for adjoint in (False, True)]
    for threads in (1, 2):
        with pytest.raises(DeepLabError, match="too large for 16-bit .* standard deviations, is "):
            ops.lattice(features, threads=threads)
        with pytest.warns(DeepLabWarning, match="32-bit ones are taken"):
            native = ops.lattice(features, wide_keys=True, threads=threads)
        assert native.wide and native.vertices == plain.neighbours.shape[2]
        for adjoint in (False, True):
            result = ops.lattice_filter(native, values, None, adjoint, threads=threads)
            assert same_bits(result, filtered[adjoint])


def test_wide_keys_only_where_needed():
    features, values = random(3, 30, scale=5), random(30, 2, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        native = ops.lattice(features, wide_keys=True)
    assert not native.wide
    assert same_bits(ops.lattice_filter(native, values), ops.lattice_filter(ops.lattice(features), values))
    features[2, 7] = float("nan")
    with pytest.raises(DeepLabError, match="feature 2 of point 7 is nan; finite numbers wanted"):
        ops.lattice(features, wide_keys=True)
    features[2, 7] = 1e12
    with pytest.raises(DeepLabError, match="too large for 32-bit .* is 1e[+]12"):
        ops.lattice(features, wide_keys=True)


@pytest.mark.parametrize("adjoint", [False, True])
def test_filter_in_double_precision(adjoint):
    features, values, before = random(5, 47, scale=2), random(47, 3).double(), random(47, seed=3).double()
    native, plain = ops.lattice(features), reference.lattice(features)
    plain = plain._replace(weights=plain.weights.double())
    result = ops.lattice_filter(native, values, before, adjoint, threads=2)
    # The weights are float32, rounded once more after the lattice's gain.
    expected = reference.lattice_filter(plain, values, before, adjoint)
    assert torch.allclose(result, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("labels", [1, 2, 8, 21, 24, 33, 70])
def test_mean_field(labels):
    points = 41
    features, unary = random(3, points), random(points, labels, seed=2, scale=9)
    native, plain = ops.lattice(features), reference.lattice(features)
    scale = 0.2 + random(points, seed=3).abs()
    weights = random(labels, seed=4)
    start = reference.mean_field_start(unary)
    # label_weights: the kernel multiplies before the scale.
    kernels = [reference.Pairwise(plain, scale), reference.Pairwise(plain, scale, None, weights)]
    expected = [reference.mean_field_iterate(kernels, unary, start)]
    for _ in range(2):
        expected.append(reference.mean_field_iterate(kernels, unary, expected[-1]))
    kernels = [ops.Pairwise(native, scale), ops.Pairwise(native, scale, None, weights)]
    for threads in (1, 2):
        q = ops.mean_field_start(unary, threads=threads)
        assert same_bits(q, start)
        for wanted in expected:
            q = ops.mean_field_iterate(kernels, unary, q, threads=threads)
            assert same_bits(q, wanted)


@pytest.mark.parametrize("built_with", [(1, 1), (3, 3), (1, 3), (5, 2)])
def test_strips_of_pixels_do_not_change_bits(built_with):
    points, labels = 83, 35
    features, unary = [random(d, points, seed=d) for d in (2, 1)], random(points, labels, seed=2, scale=3)
    lattices = [ops.lattice(one, threads=count) for one, count in zip(features, built_with, strict=True)]
    scale, before = 0.2 + random(points, seed=3).abs(), 0.5 + random(points, seed=5).abs()
    expected = reference.mean_field_iterate(
        [reference.Pairwise(reference.lattice(one), scale) for one in features],
        unary,
        reference.mean_field_start(unary),
        3,
    )
    serial = [ops.Pairwise(ops.lattice(one, threads=1), scale, before) for one in features]
    weighted = ops.mean_field_iterate(serial, unary, ops.mean_field_start(unary), 3, threads=1)
    for threads in (1, 2, 4):
        kernels = [ops.Pairwise(lattice, scale) for lattice in lattices]
        q = ops.mean_field_start(unary, threads=threads)
        assert same_bits(ops.mean_field_iterate(kernels, unary, q, 3, threads=threads), expected)
        kernels = [ops.Pairwise(lattice, scale, before) for lattice in lattices]
        q = ops.mean_field_start(unary, threads=threads)
        assert same_bits(ops.mean_field_iterate(kernels, unary, q, 3, threads=threads), weighted)
        assert same_bits(ops.mean_field(kernels, unary, 3, threads=threads), weighted)


@pytest.mark.parametrize("true_exp", [False, True])
def test_matrix_and_factors_before(true_exp):
    points, labels = 37, 11
    features, unary = random(5, points), random(points, labels, seed=2, scale=3)
    native, plain = ops.lattice(features), reference.lattice(features)
    factors = 0.2 + random(points, seed=3).abs(), 0.5 + random(points, seed=5).abs()
    matrix = random(labels, labels, seed=4)
    q = ops.mean_field_iterate(
        [ops.Pairwise(native, factors[0], factors[1], None, matrix)],
        unary,
        ops.mean_field_start(unary, true_exp),
        4,
        true_exp,
    )
    expected = reference.mean_field_iterate(
        [reference.Pairwise(plain, factors[0], factors[1], None, matrix)],
        unary,
        reference.mean_field_start(unary, true_exp),
        4,
        true_exp,
    )
    assert torch.allclose(q, expected, atol=2e-5)


def test_true_exp_is_a_softmax():
    unary = random(1000, 7, scale=20)
    expected = torch.softmax(-unary.double(), 1)
    assert (ops.mean_field_start(unary, True) - expected).abs().max() < 3e-7


def test_fast_exp_around_its_borders():
    borders = torch.tensor([0.69 * 2**k for k in range(5)] + [20.0, 0.0, 87.0])
    steps = torch.arange(-3, 4)
    values = (borders.view(torch.int32)[:, None] + steps).view(torch.float32).flatten()
    values = values[values >= 0]
    unary = torch.stack([torch.zeros_like(values), values], 1)
    assert same_bits(ops.mean_field_start(unary), reference.mean_field_start(unary))


def test_q_from_elsewhere_is_not_overrun():
    unary = random(5, 3)
    lattice = ops.lattice(random(2, 5))
    q = torch.softmax(-unary, 1)
    kernel = ops.Pairwise(lattice, torch.ones(5))
    result = ops.mean_field_iterate([kernel], unary, q.clone())
    own = ops.mean_field_start(unary, True).copy_(q)
    assert same_bits(result, ops.mean_field_iterate([kernel], unary, own))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e6, 3e38])
def test_features_out_of_range(value):
    features = torch.zeros(2, 9)
    features[1, 7] = value
    with pytest.raises(DeepLabError, match="larger standard deviations|finite"):
        ops.lattice(features)


@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_unary_without_distribution(value):
    unary = torch.zeros(40, 5)
    unary[33, 2] = value
    message = "point 33 has the energies 0, 0, (nan|-inf), 0, 0"
    with pytest.raises(DeepLabError, match=message):
        ops.mean_field_start(unary)
    kernel = ops.Pairwise(ops.lattice(random(2, 40)), torch.ones(40))
    with pytest.raises(DeepLabError, match=message):
        ops.mean_field([kernel], unary, 2)
    with pytest.raises(DeepLabError, match="overflow"):
        ops.mean_field([kernel._replace(scale=torch.full((40,), 3e38))] * 2, torch.zeros(40, 2), 2)


def test_infinite_energies():
    unary = torch.zeros(40, 5)
    unary[:, 1:] = float("inf")
    assert ops.mean_field_start(unary)[:, 0].eq(1).all()
    unary[7] = float("inf")
    with pytest.raises(DeepLabError, match="point 7 "):
        ops.mean_field_start(unary)


def test_wrong_arguments():
    lattice = ops.lattice(torch.zeros(2, 5))
    with pytest.raises(DeepLabError, match="points"):
        ops.lattice_filter(lattice, torch.zeros(4, 2))
    with pytest.raises(DeepLabError, match="features a point"):
        ops.lattice(torch.zeros(cpu_ops.MAX_FEATURES + 1, 4))
    with pytest.raises(DeepLabError, match="no points"):
        ops.lattice(torch.zeros(2, 0))
    with pytest.raises(DeepLabError, match="overflow"):
        ops.mean_field_iterate(
            [ops.Pairwise(lattice, torch.full((5,), 3e38))] * 2, torch.zeros(5, 2), torch.full((5, 2), 0.5)
        )


@pytest.mark.parametrize("labels", [1, 2, 21])
def test_best_labels(labels):
    q = random(1000, labels).round()
    best = cpu_ops.best_labels(q.numpy(), threads=2)
    assert best.dtype == "int16" and (best == q.numpy().argmax(1)).all()


def test_log():
    x = random(1000, scale=3).abs()
    assert same_bits(torch.from_numpy(cpu_ops.log(x.numpy())), torch_ops.log(x))


def test_thread_count(monkeypatch):
    assert cpu_ops.thread_count(3) == 3 and cpu_ops.thread_count(None) == torch.get_num_threads()
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert cpu_ops.thread_count(None) == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cpu_ops.thread_count(None) == len(os.sched_getaffinity(0))
