import re

import pytest

from deeplab_caffe.caffe_program import run
from tests.training import write_training

NET = """name: "tiny"
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TRAIN }
  hdf5_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 3 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" loss_weight: 0.5 }
layer { name: "accuracy" type: "SegAccuracy" bottom: "score" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "extra" type: "Power" bottom: "loss" top: "extra" include { stage: "more" } }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 4 momentum: 0.9
weight_decay: 0.001 max_iter: 8 snapshot: 3 snapshot_prefix: "out/tiny" display: 2 average_loss: 3
random_seed: 5 test_iter: 2 test_interval: 4 solver_mode: CPU
"""
# What glog writes before each message.
LINE = re.compile(r"([IWEF])(\d{4}) (\d\d:\d\d:\d\d\.\d{6}) +(\d+) (\w+\.cpp):\d+\] (.*)")


class Ran:
    """What a program has left: its exit code, stdout, stderr, and the messages in its log."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = [match for line in err.splitlines() if (match := LINE.fullmatch(line))]

    def messages(self, level="I"):
        return [line[6] for line in self.lines if line[1] == level]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a tiny net, its solver and its data; logs go to `logs`."""
    write_training(tmp_path, NET, SOLVER)
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLOG_log_dir", "logs")
    return tmp_path


@pytest.fixture
def program(folder, capsys):
    """program("caffe", "train", "--solver=solver.prototxt"): runs it in this process."""

    def ran(name, *words):
        capsys.readouterr()
        code = run(name, [str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return ran


@pytest.fixture
def trained(program):
    """The caffemodel of a short training."""
    assert program("caffe", "train", "--solver=solver.prototxt").code == 0
    return "out/tiny_iter_8.caffemodel"
