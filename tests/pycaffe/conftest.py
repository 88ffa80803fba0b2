import pytest
import torch

import deeplab_caffe.pycaffe as caffe
from deeplab_caffe.pycaffe import mode

NET = """name: "small"
input: "data" input_shape { dim: 2 dim: 3 dim: 8 dim: 9 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } bias_filler { value: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "left" type: "Convolution" bottom: "pool" top: "left" convolution_param {
  num_output: 5 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "xavier" } } }
layer { name: "right" type: "Convolution" bottom: "pool" top: "right" convolution_param {
  num_output: 5 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }
"""
LOSS = """
layer { name: "label" type: "DummyData" top: "label"
  dummy_data_param { shape { dim: 2 dim: 1 dim: 4 dim: 5 } data_filler { value: 3 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" }
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="net.prototxt"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.fixture(autouse=True)
def seeded():
    caffe.set_mode_cpu()
    caffe.set_random_seed(1)


@pytest.fixture(params=["main memory", "device"])
def place(request, monkeypatch):
    """Where blobs and parameters are: also as on a GPU, whose memory is other memory here, too."""
    if request.param == "device":
        monkeypatch.setattr(mode, "place_of", lambda device: torch.device("cpu:0"))
    return request.param
