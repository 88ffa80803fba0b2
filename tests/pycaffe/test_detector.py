"""Detector, on a net whose scores are its input: so they tell what it was given."""

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.pycaffe.detector import Detector
from deeplab_caffe.pycaffe.image_arrays import load_image, resize_image
from deeplab_caffe.pycaffe.net import Net

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "out" type: "Power" bottom: "data" top: "out" }
"""


@pytest.fixture
def detector(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(TEXT)
    Net("net.prototxt", caffe_pb2.TEST).save("net.caffemodel")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    return lambda **options: Detector("net.prototxt", "net.caffemodel", **options)


def test_windows(detector):
    windows = [(0, 0, 8, 8), (2, 3, 18, 21), np.array([4.0, 5.0, 20.0, 24.0])]
    found = detector().detect_windows(iter([("a.png", windows), ("a.png", [])]))
    image = load_image("a.png")
    assert len(found) == 3
    for item, window in zip(found, windows, strict=True):
        top, left, bottom, right = map(int, window)
        crop = image[top:bottom, left:right]
        crop = crop if crop.shape[:2] == (8, 8) else resize_image(crop, (8, 8))
        assert item["window"] is window and item["filename"] == "a.png"
        assert (item["prediction"] == crop.transpose(2, 0, 1)).all()


def test_context(detector):
    """A window of 9 rows and columns: 4 pixels of the net's 8 show it, 2 at each side what is around."""
    image = load_image("a.png")
    crop = detector(context_pad=2).crop(image, (6, 7, 10, 11))
    # Its half is 2.5, twice that 5 about the centre (8.5, 9.5), each rounded to even.
    assert np.abs(crop - resize_image(image[4:14, 4:14], (8, 8))).max() < 1e-6


def test_context_beyond_the_image(detector):
    mean = np.array([10.0, 20.0, 30.0])
    both = detector(context_pad=2, mean=mean, raw_scale=10, channel_swap=(2, 1, 0))
    image = load_image("a.png")
    crop = both.crop(image, (0, 0, 3, 3))
    # From -2 to 6, nine of which are eight pixels: two of the mean, in R, G, B and as images have it.
    assert crop.shape == (8, 8, 3)
    assert (crop[:2] == np.float32([3, 2, 1])).all() and (crop[:, :2] == np.float32([3, 2, 1])).all()
    assert np.abs(crop[2:, 2:] - resize_image(image[:6, :6], (6, 6))).max() < 1e-6
    corner = both.crop(image, (17, 20, 20, 24))
    assert (corner[-1, -1] == np.float32([3, 2, 1])).all() and not (corner[0, 0] == 3).any()


def test_no_windows(detector):
    assert detector().detect_windows([]) == []
    with pytest.raises(DeepLabError, match=r"window \(5, 5, 5, 9\): no pixels of an image of \(20, 24\)"):
        detector().crop(load_image("a.png"), (5, 5, 5, 9))


def test_selective_search_is_elsewhere(detector):
    with pytest.raises(DeepLabError, match="needs the module selective_search_ijcv_with_python"):
        detector().detect_selective_search(["a.png"])
