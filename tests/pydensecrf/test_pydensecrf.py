"""Against pydensecrf2: its stored answers, and its own where it is installed."""

import importlib
import runpy
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.pydensecrf import densecrf, utils

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


def test_stored_answers():
    with np.load(STORED) as stored:
        compare(answers(densecrf, utils), dict(stored))


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
        (lambda d, e, i: d.addPairwiseGaussian(3, np.ones(3)), "compatibility"),
        (lambda d, e, i: d.addPairwiseBilateral(3, 3, i[1:], 3), "the CRF is 11 x 14"),
        (lambda d, e, i: d.klDivergence(e.T), "Q: shape"),
        (lambda d, e, i: utils.unary_from_labels([0, 9], 4, 0.5), "0 to 4 wanted"),
        (lambda d, e, i: utils.unary_from_labels([0], 4, 1.0), "gt_prob"),
        (lambda d, e, i: utils.unary_from_softmax(e, scale=2), "scale"),
        (lambda d, e, i: utils.create_pairwise_gaussian((3,), (4, 5)), "sdims"),
        (lambda d, e, i: utils.create_pairwise_bilateral((3, 3), (4, 5), i, 2), "schan"),
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
