"""Unary energies from scores, probabilities or energies, in memory and in files."""

import numpy as np
import pytest

from deeplab_caffe.crf.devices import backend_for
from deeplab_caffe.crf.energies import energies_of, read_energies
from deeplab_caffe.errors import DeepLabError

VALUES = np.array([[[0.25, 1.0]], [[0.75, 0.0]]], np.float32)  # (labels, 1, 2)


def test_kinds():
    assert np.array_equal(energies_of(VALUES, "scores"), -VALUES)
    assert np.array_equal(energies_of(VALUES, "energies"), VALUES)
    energies = energies_of(VALUES, "probabilities")
    assert np.allclose(energies[:, 0, 0], -np.log([0.25, 0.75])) and energies[:, 0, 1].tolist() == [0, np.inf]
    with pytest.raises(DeepLabError, match="from 0 to 1 wanted, -0.25 to"):
        energies_of(-VALUES / 4, "probabilities")
    with pytest.raises(DeepLabError, match="kind logits: scores, probabilities or energies"):
        energies_of(VALUES, "logits")


@pytest.mark.parametrize("kind", ["scores", "probabilities", "energies"])
def test_on_a_gpu(device, kind):
    with device.kernels():
        backend = backend_for("cuda")
        there = backend.result(energies_of(VALUES, kind, device=backend), as_numpy=True)
    assert np.array_equal(there, energies_of(VALUES, kind))


def test_files(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    energies = read_energies(tmp_path / "a.npy", "scores", 1, 2)
    assert np.array_equal(energies, -VALUES.transpose(1, 2, 0))
    np.save(tmp_path / "b.npy", VALUES * 2)
    with pytest.raises(DeepLabError, match="b.npy: probabilities: from 0 to 1"):
        read_energies(tmp_path / "b.npy", "probabilities", 1, 2)
