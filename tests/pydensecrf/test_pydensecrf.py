"""Against pydensecrf2: its stored answers, and its own where it is installed."""

import contextlib
import copy
import importlib
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.pydensecrf import densecrf, eigen, pairwise, unary, utils

CASES = runpy.run_path(str(Path(__file__).with_name("cases.py")))
H, W, M = (CASES[name] for name in "HWM")
answers, image_and_energy = CASES["answers"], CASES["image_and_energy"]
STORED = Path(__file__).parents[1] / "golden/pydensecrf/answers.npz"


def compare(ours, theirs):
    assert ours.keys() == set(theirs)
    for name, expected in theirs.items():
        if name == "divergence":
            assert np.allclose(ours[name], expected, rtol=1e-5)
            continue
        assert ours[name].shape == expected.shape
        assert np.abs(ours[name] - expected).max() < 1e-5, name
        if expected.shape == (M, H * W) and not name.startswith("from") and "unary" not in name:
            assert np.array_equal(ours[name].argmax(0), expected.argmax(0)), name


@pytest.mark.filterwarnings("ignore::deeplab_caffe.errors.DeepLabWarning")
def test_stored_answers():
    with np.load(STORED) as stored:
        compare(answers(densecrf, utils), dict(stored))


@pytest.mark.filterwarnings("ignore::deeplab_caffe.errors.DeepLabWarning")
def test_installed_package():
    pytest.importorskip("pydensecrf.densecrf")
    modules = (importlib.import_module(f"pydensecrf.{name}") for name in ("densecrf", "utils"))
    compare(answers(densecrf, utils), answers(*modules))


def test_const_unary_and_energies():
    image, energy = image_and_energy()
    d = densecrf.DenseCRF2D(W, H, M)
    d.setUnary(densecrf.ConstUnary(energy))
    d.addPairwiseGaussian(3, 3)
    d.addPairwiseBilateral(20, 13, image, 2)
    labels = utils.compute_map(d.inference(5))
    assert np.array_equal(d.unaryEnergy(labels), energy[labels, np.arange(H * W)])
    pairs = d.pairwiseEnergy(labels)
    assert np.allclose(pairs, d.pairwiseEnergy(labels, 0) + d.pairwiseEnergy(labels, 1), atol=1e-6)
    assert utils.compute_map(d.inference(5), (H, W)).shape == (H, W)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda d, e, i: d.setUnaryEnergy(e[:, 1:]), r"\(4, 153\) given, \(4, 154\) wanted"),
        (lambda d, e, i: d.addPairwiseEnergy(np.zeros((2, 3)), 3), r"\(d, 154\) wanted"),
        (lambda d, e, i: d.addPairwiseGaussian(0, 3), "above 0"),
        (lambda d, e, i: d.addPairwiseGaussian(3, np.ones(3, np.float32)), "compatibility"),
        (lambda d, e, i: d.addPairwiseBilateral(3, 3, i[1:], 3), "the CRF is 11 x 14"),
        (lambda d, e, i: d.klDivergence(e.T), "Q: shape"),
        (lambda d, e, i: utils.unary_from_labels([0, 9], 4, 0.5), "0 to 4 wanted"),
        (lambda d, e, i: utils.unary_from_labels([0], 4, 1.0), "gt_prob"),
        (lambda d, e, i: utils.unary_from_softmax(e, scale=2), "scale"),
        (lambda d, e, i: utils.create_pairwise_gaussian((3,), (4, 5)), "sdims"),
        (lambda d, e, i: utils.create_pairwise_bilateral((3, 3), (4, 5, 6, 7), i, 2), "schan: 4 deviations"),
        (lambda d, e, i: utils.create_pairwise_bilateral((3, 3, 3), 4, i, 2), "sdims: 3 deviations"),
        (lambda d, e, i: d.addPairwiseGaussian(np.nan, 3), "sxy nan"),
        (lambda d, e, i: d.addPairwiseGaussian(1e-60, 3), "above 0"),
        (lambda d, e, i: d.addPairwiseGaussian("3", 3), "sxy: numbers wanted"),
        (lambda d, e, i: d.addPairwiseBilateral(3, (3, 4), i, 3), "srgb: 2 numbers given, 1 or 3 wanted"),
        (lambda d, e, i: d.addPairwiseBilateral(3, 3, i[..., 0], 3), "rgbim"),
        (lambda d, e, i: d.inference(2**31), "niter 2147483648: at most 2147483647 wanted"),
        (lambda d, e, i: d.inference(2.0**31), "niter 2147483648"),
        (lambda d, e, i: d.inference(np.inf), "niter inf: a finite number"),
        (lambda d, e, i: d.inference(np.nan), "niter nan"),
        (lambda d, e, i: d.inference("3"), "niter '3'"),
        (lambda d, e, i: d.inference(None), "niter None"),
        (lambda d, e, i: densecrf.DenseCRF(2**31, 3), "nvar 2147483648"),
        (lambda d, e, i: densecrf.DenseCRF(0.9, 3), "nvar 0: 1 or more"),
        (lambda d, e, i: densecrf.DenseCRF2D(3, "4", 3), "h '4'"),
        (lambda d, e, i: d.setUnary(densecrf.Unary()), "setUnary: Unary given"),
        (lambda d, e, i: d.setUnary(densecrf.LogisticUnary(e, e)), "LogisticUnary"),
        (lambda d, e, i: eigen.vectorXf(e), "vectorXf: an array of 2 axes"),
    ],
)
def test_errors(call, message):
    image, energy = image_and_energy()
    with pytest.raises(DeepLabError, match=message):
        call(densecrf.DenseCRF2D(W, H, M), energy, image)


def test_on_a_gpu(device):
    image, energy = image_and_energy()

    def infer(where):
        model = densecrf.DenseCRF2D(W, H, M, device=where)
        model.setUnaryEnergy(energy)
        model.addPairwiseGaussian(3, 3)
        model.addPairwiseBilateral(30, 20, image, np.eye(M, dtype=np.float32) * -2)
        q, first, second = model.startInference()
        model.stepInference(q, first, second)
        return model.inference(4), q, np.array(model.klDivergence(q))

    expected = infer(None)
    with device.kernels():
        assert all(map(np.array_equal, infer("cuda"), expected))


def test_names():
    """Those of pydensecrf's modules, which are the same objects wherever they are found."""
    assert densecrf.KernelType is pairwise.KernelType
    assert densecrf.NORMALIZE_SYMMETRIC is pairwise.NORMALIZE_SYMMETRIC
    assert densecrf.LogisticUnary is unary.LogisticUnary
    assert issubclass(densecrf.ConstUnary, densecrf.Unary)
    image, energy = image_and_energy()
    d = densecrf.DenseCRF2D(W, H, M)
    d.setUnaryEnergy(u=energy)
    assert isinstance(d.inference(1), eigen.MatrixXf)
    matrix = eigen.matrixXf(energy)
    assert matrix.dtype == np.float32 and np.array_equal(matrix, energy)
    assert np.array_equal(eigen.vectorXf(energy[0]), energy[0])


def test_start_without_energies():
    d = densecrf.DenseCRF2D(W, H, M)
    q, first, second = d.startInference()
    assert np.array_equal(q, np.full((M, H * W), 1 / M, np.float32))
    d.stepInference(q, first, second)
    assert d.klDivergence(q) == pytest.approx(-H * W * np.log(M), rel=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda d, i: utils.create_pairwise_bilateral((3, 3), (0.01,), i, 2),
            "schan: 1 deviations for 3 channels",
        ),
        (lambda d, i: utils.create_pairwise_bilateral((3,), 5, i, 2), "sdims: 1 deviations for 2 axes"),
        (lambda d, i: d.addPairwiseGaussian((3, 2, 7), 3), "sxy: 3 numbers given; the first 2"),
        (lambda d, i: d.addPairwiseBilateral(3, (3, 4, 5, 6), i, 3), "srgb: 4 numbers given; the first 3"),
    ],
)
def test_warnings(call, message):
    image, energy = image_and_energy()
    with pytest.warns(DeepLabWarning, match=message) as caught:
        call(densecrf.DenseCRF2D(W, H, M), image)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("of", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_copies(of):
    image, energy = image_and_energy()
    d = densecrf.DenseCRF2D(W, H, M)
    d.setUnaryEnergy(energy)
    d.addPairwiseGaussian((-3, np.inf), 3)
    d.addPairwiseBilateral(20, (13, -14, 15), image, np.arange(M, dtype=np.float32))
    expected = d.inference(3)
    other = of(d)
    assert np.array_equal(other.inference(3), expected)
    other.setUnaryEnergy(energy[::-1])
    other.addPairwiseGaussian(1, 9)
    other.inference(2)
    assert np.array_equal(d.inference(3), expected)


def test_signs_on_a_gpu(device):
    image, energy = image_and_energy()

    def infer(where):
        model = densecrf.DenseCRF2D(W, H, M, device=where)
        model.setUnaryEnergy(energy)
        model.addPairwiseGaussian((-3, np.inf), 3)
        model.addPairwiseBilateral(30, (20, -20, np.inf), image, 2)
        return model.inference(3)

    expected = infer(None)
    with device.kernels():
        assert np.array_equal(infer("cuda"), expected)


def test_many_features():
    """Hyperspectral bands: more features than images have."""
    rng = np.random.default_rng(0)
    side, bands = 6, 256
    truth = np.arange(side * side) % 2
    spectra = rng.normal(size=(2, bands))[truth] * 3 + rng.normal(size=(side * side, bands)) * 0.01
    crf = densecrf.DenseCRF(side * side, 2)
    noisy = truth.copy()
    noisy[::7] = 1 - noisy[::7]
    crf.setUnaryEnergy(utils.unary_from_labels(noisy, 2, 0.6, zero_unsure=False))
    crf.addPairwiseEnergy(spectra.T.astype(np.float32), compat=10)
    assert (crf.inference(5).argmax(0) == truth).all()


def test_deviations_far_too_small():
    """`srgb=0.01` on bytes: only equal colours support one another, as with any small deviation."""
    image = np.zeros((10, 12, 3), np.uint8)
    image[2:8, 3:9] = 255
    truth = (image[..., 0] > 0).astype(int)
    noisy = truth.copy()
    noisy[::3, ::4] = 1 - noisy[::3, ::4]
    results = []
    for deviation in (0.01, 10):
        crf = densecrf.DenseCRF2D(12, 10, 2)
        crf.setUnaryEnergy(utils.unary_from_labels(noisy, 2, 0.6, zero_unsure=False))
        with contextlib.ExitStack() as stack:
            if deviation < 1:
                stack.enter_context(pytest.warns(DeepLabWarning, match="32-bit"))
            crf.addPairwiseBilateral(sxy=8, srgb=deviation, rgbim=image, compat=5)
        results.append(crf.inference(5))
    assert np.abs(results[0] - results[1]).max() < 0.02
    assert (results[0].argmax(0) == truth.ravel()).all()
    again = copy.deepcopy(crf).inference(5)
    assert np.array_equal(again, results[1])


def test_arrays_of_another_type_are_refused_where_pydensecrf_does():
    """ValueError for float64 compatibilities and matrices, TypeError for None."""
    crf = densecrf.DenseCRF2D(4, 3, 2)
    image = np.zeros((3, 4, 3), np.uint8)
    for compat in (np.array([1.0, 2.0]), np.eye(2), np.array([1, 2])):
        with pytest.raises(ValueError, match="compat: .* given, float32 wanted"):
            crf.addPairwiseBilateral(sxy=3, srgb=3, rgbim=image, compat=compat)
    crf.addPairwiseBilateral(sxy=3, srgb=3, rgbim=image, compat=np.float32([1, 2]))
    crf.addPairwiseGaussian(sxy=3, compat=np.float64(3))  # a number
    for convert, values in ((eigen.vectorXf, np.ones(3)), (eigen.matrixXf, np.eye(3))):
        with pytest.raises(ValueError, match="float64 given, float32 wanted"):
            convert(values)
        with pytest.raises(TypeError, match="None given"):
            convert(None)
        assert (convert(values.astype(np.float32)) == values).all()
