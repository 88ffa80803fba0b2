import numpy as np
import pytest

from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.images import preprocessing


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def test_to_blob(colours):
    blob = preprocessing.to_blob(colours, (1.5, 2.25, 3.125), 0.5)
    assert blob.dtype == np.float32 and blob.shape == (3, 7, 9)
    bgr = colours[:, :, ::-1].astype(np.float32)
    assert (blob == ((bgr - np.float32([1.5, 2.25, 3.125])) * np.float32(0.5)).transpose(2, 0, 1)).all()
    rgb = preprocessing.to_blob(colours, (3.125, 2.25, 1.5), 0.5, rgb=True)
    assert (rgb == blob[::-1]).all()


def test_pad():
    planes = np.ones((2, 3, 4), np.float32)
    padded = preprocessing.pad(planes, 5, 4)
    assert padded.shape == (2, 5, 4) and padded[:, 3:].sum() == 0 and (padded[:, :3] == planes).all()
    assert preprocessing.pad(planes, 1, 1) is planes
    assert preprocessing.pad(planes, 3, 5, 255)[:, :, 4].min() == 255


def test_transform_param_says_what_to_do(colours):
    (layer,) = read_net(
        "net",
        text='layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 3 dim: 7 dim: 9 } }'
        "  transform_param { mean_value: [1, 2, 3] std_value: 4 scale: 0.5 channel_order: RGB } }",
    ).layers
    found = preprocessing.Preprocessing.of(layer.param.transform_param)
    assert found == preprocessing.Preprocessing((1, 2, 3), 0.5, (4,), True)
    expected = (colours.transpose(2, 0, 1) - np.float32([1, 2, 3]).reshape(3, 1, 1)) / np.float32(4)
    assert (found.blob(colours) == expected * np.float32(0.5)).all()


def test_problems():
    assert preprocessing.Preprocessing().problem(3) == ""
    assert preprocessing.Preprocessing((7,)).problem(1) == ""
    assert "mean: 3 values given, the net's images have 1 channels" == preprocessing.Preprocessing().problem(
        1
    )
    assert preprocessing.Preprocessing(std=(0,)).problem(3) == "std: numbers above 0 wanted"
