import h5py
import numpy as np
import pytest
import torch

from deeplab_caffe.commands import main
from deeplab_caffe.engine.net import Net

NET = """name: "tiny"
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TRAIN }
  hdf5_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 3 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "SegAccuracy" bottom: "score" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""


SOLVER = """net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 4 momentum: 0.9
weight_decay: 0.001 max_iter: 8 snapshot: 3 snapshot_prefix: "out/tiny" display: 2 average_loss: 3
random_seed: 5 test_iter: 2 test_interval: 4
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    chance = np.random.default_rng(0)
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["data"] = chance.standard_normal((6, 2, 9, 9)).astype(np.float32)
        file["label"] = chance.integers(0, 3, (6, 1, 9, 9)).astype(np.float32)
    (tmp_path / "list.txt").write_text("train.h5\n")
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return main(["train", "--solver", "solver.prototxt", "--threads", "1", *map(str, arguments)])


def test_test(folder, succeeds, fails):
    assert run() == 0
    options = ("--model", "net.prototxt", "--weights", "out/tiny_iter_8.caffemodel", "--threads", 1)
    once, more = (succeeds("test", *options, "--iterations", n, "--json") for n in (1, 4))
    assert once["outputs"].keys() == {"loss", "accuracy"} and len(once["outputs"]["accuracy"]) == 3
    net = Net("net.prototxt", "out/tiny_iter_8.caffemodel", threads=1)
    runs = [net.forward() for _ in range(4)]
    assert once["outputs"]["loss"] == [runs[0]["loss"].item()]
    for name in ("loss", "accuracy"):
        mean = torch.stack([run[name].flatten() for run in runs]).mean(0)
        assert more["outputs"][name] == pytest.approx(mean.tolist(), rel=1e-6)
    assert "accuracy" in succeeds("test", *options, "--iterations", 2)
    assert "no weights given (--weights) for conv, score" in fails("test", "--model", "net.prototxt")


def test_test_of_a_net_that_does_not_feed_itself(net, fails):
    assert "input data: a net to test feeds itself" in fails("test", "--model", net)
