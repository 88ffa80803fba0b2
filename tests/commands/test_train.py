import json

import h5py
import numpy as np
import pytest
import torch

from deeplab_caffe.commands import main
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.solverstate import read_solverstate

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


def values(path):
    return [blob.numpy().tobytes() for layer in read_caffemodel(path) for blob in layer.blobs]


def test_what_a_run_leaves(folder, capsys):
    assert main(["train", "--solver", "solver.prototxt", "--threads", "1"]) == 0
    names = {path.name for path in (folder / "out").iterdir()}
    snapshots = {f"tiny_iter_{n}.{kind}" for n in (3, 6, 8) for kind in ("caffemodel", "solverstate")}
    assert names == snapshots | {"tiny_log.jsonl", "tiny_loss.png", "tiny_events"}
    records = [json.loads(line) for line in (folder / "out/tiny_log.jsonl").read_text().splitlines()]
    assert [(r["iteration"], "test" in r) for r in records] == [
        (0, True),
        (0, False),
        (2, False),
        (4, True),
        (4, False),
        (6, False),
        (8, True),
        (8, False),
    ]
    assert {"loss", "accuracy"} <= records[0].keys() and len(records[0]["accuracy"]) == 3
    assert [r["lr"] for r in records if "lr" in r] == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025])
    error = capsys.readouterr().err
    assert "starting from the fillers" in error and "snapshot: out/tiny_iter_3.solverstate" in error
    assert (folder / "out/tiny_loss.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_going_on_gives_the_bits_of_the_uninterrupted_run(folder, kind):
    text = SOLVER.replace("average_loss: 3", f'average_loss: 3 type: "{kind}" iter_size: 2')
    if kind in ("AdaGrad", "RMSProp"):
        text = text.replace("momentum: 0.9", "")
    (folder / "solver.prototxt").write_text(text)
    assert main(["train", "--solver", "solver.prototxt", "--threads", "1"]) == 0
    whole = values("out/tiny_iter_8.caffemodel")
    state = read_solverstate("out/tiny_iter_8.solverstate")
    assert state.current_step == 1 and len(state.history) == (8 if kind in ("AdaDelta", "Adam") else 4)
    for name in ("tiny_iter_8.caffemodel", "tiny_iter_8.solverstate"):
        (folder / "out" / name).unlink()
    go_on = ["train", "--solver", "solver.prototxt", "--threads", "1", "--snapshot"]
    assert main([*go_on, "out/tiny_iter_3.solverstate"]) == 0
    assert values("out/tiny_iter_8.caffemodel") == whole
    again = read_solverstate("out/tiny_iter_8.solverstate")
    assert all(torch.equal(a, b) for a, b in zip(state.history, again.history, strict=True))
    (folder / "out/tiny_iter_8.solverstate").unlink()
    assert main([*go_on, "auto"]) == 0  # from 6
    assert values("out/tiny_iter_8.caffemodel") == whole
