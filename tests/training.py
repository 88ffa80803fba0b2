"""A tiny net that learns from a few rows of HDF5, for tests of whatever trains."""

import h5py
import numpy as np

from deeplab_caffe.formats.caffemodel import read_caffemodel

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


def write_training(folder, net=NET, solver=SOLVER):
    """net.prototxt, solver.prototxt, list.txt and train.h5: six rows of two channels and three classes."""
    chance = np.random.default_rng(0)
    with h5py.File(folder / "train.h5", "w") as file:
        file["data"] = chance.standard_normal((6, 2, 9, 9)).astype(np.float32)
        file["label"] = chance.integers(0, 3, (6, 1, 9, 9)).astype(np.float32)
    (folder / "list.txt").write_text("train.h5\n")
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)


def parameters_of(path):
    """The bytes of every blob in a caffemodel."""
    return [blob.numpy().tobytes() for layer in read_caffemodel(path) for blob in layer.blobs]
