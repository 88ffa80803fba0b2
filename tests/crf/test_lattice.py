"""Lattices over pixels and points: what normalises their filters."""

import numpy as np
import pytest

from deeplab_caffe.crf.lattice import Lattice, bilateral_lattice, forget_positions, position_lattice
from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize("normalization", ["none", "before", "after", "symmetric"])
def test_norms(normalization):
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    lattice = bilateral_lattice(image, 20, 30)
    before, after = lattice.norms(normalization)
    ones = np.ones((99, 1), np.float32)
    filtered = lattice.filter(ones, before)[:, 0] * (1 if after is None else after)
    if normalization == "after":
        assert np.allclose(filtered, 1, atol=1e-6)
    if normalization == "before":
        assert filtered.sum().item() == pytest.approx(99, rel=1e-2)
    assert (before is None, after is None) == {
        "none": (True, True),
        "before": (False, True),
        "after": (True, False),
        "symmetric": (False, False),
    }[normalization]


def test_pixels_are_points():
    """A lattice of pixels is that of their features, to the last bit."""
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 2), np.uint8)
    y, x = np.mgrid[:4, :5].astype(np.float32)
    planes = [x / np.float32(3), y / np.float32(2), *(image.transpose(2, 0, 1) / np.float32(7))]
    values = np.random.default_rng(1).random((20, 3), np.float32)
    for count, lattice in ((2, position_lattice(4, 5, (3, 2))), (4, bilateral_lattice(image, (3, 2), 7))):
        own = Lattice(np.stack(planes[:count]).reshape(count, -1))
        assert (own.points, own.vertices) == (lattice.points, lattice.vertices) == (20, own.vertices)
        assert np.array_equal(own.filter(values), lattice.filter(values))
        assert own.device is None


def test_several_images_need_a_gpu():
    with pytest.raises(DeepLabError, match="built on a GPU"):
        Lattice(np.zeros((2, 5)), image_sizes=[2, 3])


def test_positions_are_kept(monkeypatch):
    """Images of one size share the lattice of their positions, with the same bits as one built anew."""
    kept = position_lattice(6, 7, 2, threads=1)
    assert position_lattice(6, 7, 2, threads=1) is kept
    for other in (
        position_lattice(7, 6, 2, threads=1),
        position_lattice(6, 7, 3, threads=1),
        position_lattice(6, 7, 2, threads=2),
        bilateral_lattice(np.zeros((6, 7, 3)), 2, 2, threads=1),
    ):
        assert other is not kept
    values = np.random.default_rng(0).random((42, 3), np.float32)
    forget_positions()
    anew = position_lattice(6, 7, 2, threads=1)
    assert anew is not kept
    assert np.array_equal(anew.filter(values), kept.filter(values))
    monkeypatch.setattr("deeplab_caffe.crf.lattice._KEPT_POINTS", 41)
    assert position_lattice(6, 7, 2, threads=1) is not position_lattice(6, 7, 2, threads=1)
