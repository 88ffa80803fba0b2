"""Classifier, on a net whose scores are its input: so they tell what it was given."""

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.pycaffe.classifier import Classifier
from deeplab_caffe.pycaffe.image_arrays import oversample, resize_image
from deeplab_caffe.pycaffe.net import Net

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 6 dim: 8 } } }
layer { name: "out" type: "Power" bottom: "data" top: "out" }
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "net.prototxt").write_text(TEXT)
    Net(str(tmp_path / "net.prototxt"), caffe_pb2.TEST).save(tmp_path / "net.caffemodel")
    return str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")


def images(count=3, height=10, width=13):
    return list(np.random.default_rng(0).random((count, height, width, 3)).astype(np.float32))


def test_mean_of_ten_crops(files):
    classifier = Classifier(*files, image_dims=(9, 11))
    result = classifier.predict(images())
    resized = [resize_image(image, (9, 11)) for image in images()]
    crops = oversample(resized, (6, 8)).transpose(0, 3, 1, 2).reshape(3, 10, -1)
    assert result.shape == (3, 3 * 6 * 8)
    assert np.abs(result - crops.mean(axis=1)).max() < 1e-6


def test_centre(files):
    classifier = Classifier(*files, image_dims=(9, 11))
    result = classifier.predict(images(), oversample=False)
    resized = np.stack([resize_image(image, (9, 11)) for image in images()])
    assert (result == resized[:, 1:7, 1:9].transpose(0, 3, 1, 2)).all()


def test_preprocessing(files):
    mean = np.array([1.0, 2.0, 3.0])
    classifier = Classifier(*files, mean=mean, input_scale=2, raw_scale=255, channel_swap=(2, 1, 0))
    (image,) = images(1, 6, 8)
    (result,) = classifier.predict([image], oversample=False)
    resized = resize_image(image, (6, 8)).transpose(2, 0, 1)[::-1]
    expected = (resized * np.float32(255) - mean[:, None, None]).astype(np.float32) * 2
    assert (result == expected).all()
    assert list(classifier.image_dims) == list(classifier.crop_dims) == [6, 8]


def test_no_images(files):
    with pytest.raises(DeepLabError, match="no images"):
        Classifier(*files).predict([])
