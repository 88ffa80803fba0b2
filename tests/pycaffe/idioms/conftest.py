"""A folder with the small files that the idioms open, and `caffe` as a script imports it."""

import importlib
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import pycaffe

BODY = """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 4 kernel_size: 3 pad: 1
                            weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""
FC = """
layer { name: "fc6" type: "InnerProduct" bottom: "pool1" top: "fc6"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""
FILES = {
    "deploy.prototxt": 'name: "tiny"\nlayer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }"
    + BODY
    + FC
    + 'layer { name: "prob" type: "Softmax" bottom: "fc6" top: "prob" }',
    # With the older form of inputs, and a convolution in place of fc6.
    "full_conv.prototxt": 'name: "tiny_conv"\ninput: "data"\n'
    "input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 20\n"
    + BODY
    + 'layer { name: "fc6-conv" type: "Convolution" bottom: "pool1" top: "fc6-conv" '
    "convolution_param { num_output: 5 kernel_size: 6 } }"
    'layer { name: "prob" type: "Softmax" bottom: "fc6-conv" top: "prob" }',
    # Down and up again, as FCN.
    "seg.prototxt": 'layer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }"
    + BODY
    + 'layer { name: "score_fr" type: "Convolution" bottom: "pool1" top: "score_fr" '
    'convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }'
    'layer { name: "upscore" type: "Deconvolution" bottom: "score_fr" top: "upscore" '
    "convolution_param { num_output: 3 kernel_size: 4 stride: 2 bias_term: false } }"
    'layer { name: "score" type: "Crop" bottom: "upscore" bottom: "data" top: "score" '
    "crop_param { axis: 2 offset: 1 } }",
    "train_val.prototxt": 'name: "trained"\nlayer { name: "data" type: "DummyData" top: "data" top: "label" '
    "dummy_data_param { shape { dim: 4 dim: 3 dim: 12 dim: 12 } shape { dim: 4 } "
    'data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 2 } } }'
    + BODY
    + FC
    + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc6" bottom: "label" top: "loss" }'
    'layer { name: "accuracy" type: "Accuracy" bottom: "fc6" bottom: "label" top: "accuracy" '
    "include { phase: TEST } }",
    "solver.prototxt": 'net: "train_val.prototxt" test_iter: 2 test_interval: 100 base_lr: 0.01 '
    'momentum: 0.9 lr_policy: "step" gamma: 0.1 stepsize: 100 max_iter: 4 display: 0 '
    'snapshot_prefix: "snap" test_initialization: false random_seed: 3',
    "memory.prototxt": 'layer { name: "data" type: "MemoryData" top: "data" top: "label" '
    "memory_data_param { batch_size: 2 channels: 3 height: 12 width: 12 } }" + BODY + FC,
}


@pytest.fixture
def caffe(tmp_path, monkeypatch):
    """What `import caffe` gives, in a folder of a Caffe user's files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = {name: sys.modules.get(name) for name in sys.modules}
    pycaffe.install()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    module = importlib.import_module("caffe")
    module.set_random_seed(1)
    module.Net("deploy.prototxt", module.TEST).save("tiny.caffemodel")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (14, 15, 3), np.uint8)).save("cat.jpg")
    Image.fromarray(rng.integers(0, 3, (12, 12), np.uint8)).save("label.png")
    np.save("mean.npy", rng.random((3, 16, 16)).astype(np.float32) * 255)
    yield module
    for name in set(sys.modules) - set(before):
        if (
            name == "caffe"
            or name.startswith("caffe.")
            or getattr(sys.modules[name], "__file__", None) in {str(tmp_path / f"{name}.py")}
        ):
            del sys.modules[name]
