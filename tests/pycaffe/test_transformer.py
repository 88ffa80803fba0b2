import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.pycaffe.image_arrays import resize_image
from deeplab_caffe.pycaffe.transformer import Transformer

SHAPE = (1, 3, 4, 5)


def image(height=4, width=5):
    return np.random.default_rng(0).random((height, width, 3)).astype(np.float32)


def transformer():
    result = Transformer({"data": SHAPE})
    result.set_transpose("data", (2, 0, 1))
    result.set_channel_swap("data", (2, 1, 0))
    result.set_raw_scale("data", 255)
    result.set_mean("data", np.array([104.0, 117.0, 123.0]))
    result.set_input_scale("data", 0.017)
    return result


def test_preprocess():
    pixels = image()
    before = pixels.copy()
    blob = transformer().preprocess("data", pixels)
    assert (pixels == before).all()
    assert blob.dtype == np.float32
    planes = pixels.transpose(2, 0, 1)[::-1] * np.float32(255)
    centred = (planes - np.array([104.0, 117.0, 123.0])[:, None, None]).astype(np.float32)
    assert (blob == centred * np.float32(0.017)).all()


def test_scales_of_numpy_stay_float32():
    ours, theirs = transformer(), transformer()
    theirs.set_input_scale("data", np.float64(0.017))
    assert (ours.preprocess("data", image()) == theirs.preprocess("data", image())).all()


def test_preprocess_resizes():
    plain = Transformer({"data": SHAPE})
    pixels = image(8, 7)
    assert (plain.preprocess("data", pixels) == resize_image(pixels, (4, 5))).all()


def test_deprocess():
    pixels = image()
    both = transformer()
    blob = both.preprocess("data", pixels)
    before = blob.copy()
    assert np.abs(both.deprocess("data", blob[np.newaxis]) - pixels).max() < 1e-5
    assert (blob == before).all()


def test_means():
    mean = np.random.default_rng(1).random((3, 4, 5)) * 100
    result = Transformer({"data": SHAPE})
    result.set_mean("data", mean)
    assert result.mean["data"] is mean
    larger = np.random.default_rng(1).random((3, 8, 10)) * 100
    result.set_mean("data", larger)
    low, high = larger.min(), larger.max()
    expected = resize_image(larger.transpose(1, 2, 0), (4, 5)).transpose(2, 0, 1)
    assert low <= result.mean["data"].min() and result.mean["data"].max() <= high
    assert np.abs(result.mean["data"] - expected).max() < 1e-4
    result.set_mean("data", np.full((3, 2, 2), 7.0))
    assert (result.mean["data"] == 7).all() and result.mean["data"].shape == (3, 4, 5)
    grey = Transformer({"data": (1, 1, 4, 5)})
    grey.set_mean("data", np.ones((4, 5)))
    assert grey.mean["data"].shape == (4, 5)
    grey.set_mean("data", np.ones((8, 10)))
    assert grey.mean["data"].shape == (1, 4, 5)


def test_what_does_not_fit():
    result = Transformer({"data": SHAPE})
    for call in (
        lambda: result.preprocess("image", image()),
        lambda: result.deprocess("image", image()),
        lambda: result.set_raw_scale("image", 1),
        lambda: result.set_input_scale("image", 1),
        lambda: result.set_mean("image", np.zeros(3)),
    ):
        with pytest.raises(DeepLabError, match="image is not one of the net's inputs: data"):
            call()
    with pytest.raises(DeepLabError, match="3 axes wanted for data, 2 given"):
        result.set_transpose("data", (1, 0))
    with pytest.raises(DeepLabError, match="3 channels wanted for data, 4 given"):
        result.set_channel_swap("data", (3, 2, 1, 0))
    with pytest.raises(ValueError, match="3 channels wanted for data, 1 given"):
        result.set_mean("data", np.zeros(1))
    with pytest.raises(ValueError, match="wanted for data"):
        result.set_mean("data", np.zeros((1, 3, 4, 5)))
