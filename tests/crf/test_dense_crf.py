"""The dense CRF against the original program's marginals after every iteration; energies, errors."""

import subprocess
import sys

import numpy as np
import pytest

from deeplab_caffe import crf
from deeplab_caffe.crf.lattice import Lattice, bilateral_lattice, position_lattice
from deeplab_caffe.errors import DeepLabError
from tests.crf.cases import GOLDEN, PARAMETERS, REFERENCE, load, problem, sha256

LARGE = ["camvid_513x385", "camvid_full", "cat_full_v1", "cat_full_v2"]


def check(folder, threads):
    case, unary, image = load(folder)
    parameters = {name: case[field] for name, field in PARAMETERS.items()}
    model = crf.image_crf(image, case["labels"], threads=threads, **parameters).unary(unary)
    for iteration, expected in enumerate(case["marginals_sha256"]):
        model.step(1 if iteration else 0)
        assert sha256(model.marginals) == expected, f"iteration {iteration}"
    assert sha256(model.map()) == case["map_sha256"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir()))
def test_original_bits(name, threads):
    check(GOLDEN / name, threads)


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the large reference cases")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LARGE)
def test_original_bits_large(name, threads):
    check(REFERENCE / name, threads)


def test_kept_lattices():
    image, unary = problem()
    lattices = position_lattice(9, 11, 3), bilateral_lattice(image, 50, 10)
    for weight in (1.0, 5.0):
        model = crf.DenseCRF(9, 11, 4).add(lattices[0], 3).add(lattices[1], weight)
        for seed in (0, 1):
            energy = problem(seed=seed)[1]
            expected = crf.image_crf(image, 4, bi_w=weight).unary(energy).infer(4)
            assert np.array_equal(model.unary(energy).infer(4), expected)
            assert np.array_equal(model.infer(4), expected)


def test_points_like_pixels():
    image, unary = problem()
    y, x = np.mgrid[:9, :11].astype(np.float32)
    features = np.stack([x / np.float32(3), y / np.float32(3)], 2)
    expected = crf.DenseCRF(9, 11, 4).gaussian(3, 2).unary(unary).infer(5)
    model = crf.DenseCRF.of_points(99, 4).pairwise(features.reshape(99, 2), 2).unary(unary.reshape(99, 4))
    assert np.array_equal(model.infer(5).reshape(9, 11, 4), expected)
    assert model.map().shape == (99,)
    with pytest.raises(DeepLabError, match="no positions"):
        model.gaussian(3, 2)


@pytest.mark.parametrize("normalization", ["none", "before", "after", "symmetric"])
def test_compatibilities_agree(normalization):
    """Potts, equal label weights and minus the identity as penalty are one model."""
    image, unary = problem(labels=5)
    results = [
        crf.DenseCRF(9, 11, 5).bilateral(image, 20, 30, 0.1, c, normalization).unary(unary).infer(4)
        for c in (None, np.ones(5), -np.eye(5))
    ]
    assert np.array_equal(results[0], results[1]) and np.allclose(results[0], results[2], atol=1e-6)


def test_steps_and_divergence():
    image, unary = problem()
    model = crf.image_crf(image, 4).unary(unary)
    steps = list(model.steps(5))
    assert [s.iteration for s in steps] == list(range(6))
    assert steps[5].kl < steps[0].kl
    assert model.kl_divergence(steps[2].marginals) == pytest.approx(steps[2].kl)
    assert np.array_equal(steps[5].marginals, model.infer(5))


def test_energies_of_a_labelling():
    image, unary = problem()
    model = crf.image_crf(image, 4).unary(unary)
    labels = unary.argmin(2)
    assert np.array_equal(model.unary_energy(labels), unary.min(2))
    total = model.pairwise_energy(labels)
    parts = model.pairwise_energy(labels, 0) + model.pairwise_energy(labels, 1)
    assert np.allclose(total, parts, atol=1e-6) and (total < 0).all()
    # With certain marginals the divergence is the energy.
    certain = np.eye(4, dtype=np.float32)[labels]
    assert model.kl_divergence(certain) == pytest.approx((unary.min(2) + total).sum(), rel=1e-5)


@pytest.mark.parametrize(
    "labels, height, width", [(1, 9, 11), (300, 9, 11), (4, 1, 1), (4, 1, 7), (300, 1, 1)]
)
def test_unusual_sizes(labels, height, width):
    image, unary = problem(height, width, labels)
    marginals = crf.image_crf(image, labels).unary(unary).infer(5)
    assert marginals.shape == (height, width, labels) and np.allclose(marginals.sum(2), 1, atol=1e-5)
    if labels == 1:
        assert (marginals == 1).all()


def test_label_ruled_out():
    image, unary = problem()
    unary[..., 2] = np.inf
    model = crf.image_crf(image, 4).unary(unary)
    assert (model.infer(5)[..., 2] == 0).all() and np.isfinite(model.kl_divergence())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda i, u: crf.DenseCRF(9, 11, 0), "0 labels"),
        (lambda i, u: crf.DenseCRF(0, 11, 4), "1 or more wanted"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).infer(1), "no unary"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).unary(u[1:]), "unary: 8 x 11 x 4 .* 9 x 11 x 4"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).unary(np.array(["a"])), "numbers wanted"),
        (lambda i, u: crf.image_crf(i[1:], 4).unary(u), "unary: 9 x 11 x 4 .* 8 x 11 x 4"),
        (
            lambda i, u: crf.DenseCRF(9, 11, 4).bilateral(i[1:], 50, 10, 5),
            "image: 8 x 11 x 3 .* 9 x 11",
        ),
        (lambda i, u: crf.refine(i[1:], u.transpose(2, 0, 1)), "9 x 11 given, the image is 8 x 11"),
        (lambda i, u: crf.image_crf(i, 4, pos_std=0), "std 0: .* above 0"),
        (lambda i, u: crf.image_crf(i, 4, bi_rgb_std=-3), "rgb_std -3: .* above 0"),
        (lambda i, u: crf.image_crf(i, 4, bi_xy_std=float("nan")), "xy_std nan"),
        (lambda i, u: crf.image_crf(i, 4, pos_std=1e-6), "larger standard deviations"),
        (lambda i, u: crf.image_crf(i, 4, pos_w=float("nan")), "pos_w nan: a finite number"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).gaussian((1, 2, 3), 3), "3 numbers"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).gaussian(3, 3, np.ones(3)), r"compatibility: \(3,\)"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).gaussian(3, 3, None, "left"), "normalization left"),
        (lambda i, u: crf.DenseCRF(9, 11, 4).add(position_lattice(3, 3, 3), 3), "9 points"),
        (lambda i, u: crf.image_crf(i, 4).unary(u).step(-1), "-1 iterations"),
        (lambda i, u: crf.image_crf(i, 4).unary(u).infer(2**31), "2147483648 iterations: at most 2147483647"),
        (lambda i, u: crf.image_crf(i, 4).advance(u, 2**31), "2147483648 iterations"),
        (lambda i, u: next(crf.image_crf(i, 4).unary(u).steps(2**31)), "2147483648 iterations"),
        (
            lambda i, u: crf.refine(i, u.transpose(2, 0, 1), iterations=2**31),
            "iterations 2147483648: at most",
        ),
        (
            lambda i, u: crf.image_crf(i, 4).unary(u).unary_energy(np.full((9, 11), 4)),
            "labels from 0 to 3",
        ),
        (lambda i, u: crf.refine(i, u.transpose(2, 0, 1) - 9, kind="probabilities"), "from 0 to 1"),
        (lambda i, u: crf.image_crf(i, 4).unary(u * np.nan).infer(1), "point 0 has the energies nan"),
        (lambda i, u: Lattice(np.zeros((1025, 4))), "features a point"),
    ],
)
def test_errors(call, message):
    image, unary = problem()
    with pytest.raises(DeepLabError, match=message) as error:
        call(image, unary)
    assert "\n" not in str(error.value)


def test_without_torch():
    code = (
        "import sys, numpy as np; from deeplab_caffe import crf; import deeplab_caffe.pydensecrf.densecrf;"
        "crf.refine(np.zeros((5, 6, 3), np.uint8), np.zeros((2, 5, 6), np.float32));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
