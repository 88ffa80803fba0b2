"""The verb run: a tiny net is trained, folded, tested, refined and evaluated."""

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SOLVER = """train_net: "HERE/train.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 12
snapshot_prefix: "HERE/out/tiny" random_seed: 1 display: 0"""
HEAD = """layer { name: "data" type: "ImageSegData" top: "data" top: "label" image_data_param {
  root_folder: "${DATA_ROOT}" source: "${EXP}/list/${SET}.txt" label_type: PIXEL batch_size: BATCH }
  transform_param { mean_value: 128 scale: 0.02 CROP } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 3 kernel_size: 1 bias_term: BIAS weight_filler { type: "msra" } } }
"""
NORM = """layer { name: "n" type: "BatchNorm" bottom: "c" top: "c"
  batch_norm_param { moving_average_fraction: 0.5 } }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
"""
LOSS = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }"""
WRITE = """layer { name: "m" type: "MatWrite" bottom: "c" mat_write_param {
  prefix: "${FEATURE_DIR}/${TEST_SET}/fc8/" source: "${EXP}/list/${TEST_SET}_id.txt" } }
layer { name: "a" type: "SegAccuracy" bottom: "c" bottom: "label" top: "accuracy"
  seg_accuracy_param { ignore_label: 255 } }"""
CONFIG = """name = "tiny"
output = "HERE/out"
[variables]
DATA_ROOT = "HERE"
EXP = "HERE"
[train]
solver = "HERE/solver.prototxt"
set = "train"
precision = "fp32"
[test]
model = "HERE/test.prototxt"
fold = "HERE/train.prototxt"
sets = ["val"]
[crf]
iterations = 1
[evaluation]
palette = "HERE/palette.txt"
"""


@pytest.fixture
def root(tmp_path):
    """Images whose labels are their strongest colour; net, solver and configuration."""
    generator = np.random.default_rng(0)
    (tmp_path / "list").mkdir()
    for name in "abc":
        label = generator.integers(0, 3, (3, 4)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        image = generator.integers(0, 60, (*label.shape, 3)) + 180 * (label[:, :, None] == np.arange(3))
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(label).save(tmp_path / f"{name}_label.png")
    for name, members in (("train", "ab"), ("val", "bc")):
        lines = "".join(f"{x}.png {x}_label.png\n" for x in members)
        (tmp_path / f"list/{name}.txt").write_text(lines)
        (tmp_path / f"list/{name}_id.txt").write_text("\n".join(members))
    train = HEAD.replace("${SET}", "${TRAIN_SET}").replace("BATCH", "2").replace("BIAS", "false")
    test = HEAD.replace("${SET}", "${TEST_SET}").replace("BATCH", "1").replace("BIAS", "true")
    files = {
        "train.prototxt": train.replace("CROP", "crop_size: 10 mirror: true") + NORM + LOSS,
        "test.prototxt": test.replace("CROP", "") + WRITE,
        "solver.prototxt": SOLVER,
        "run.toml": CONFIG,
        "palette.txt": "255 0 0 red\n0 255 0 green\n0 0 255 blue\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("HERE", str(tmp_path)))
    (tmp_path / "out").mkdir()
    return tmp_path


def test_all_stages(root, succeeds):
    text = succeeds("run", root / "run.toml")
    assert "train (1 of 6): deeplab-caffe train" in text and "evaluation (6 of 6): deeplab-caffe eval" in text
    plain, refined = (
        json.loads((root / f"out/test/val/{name}/eval.json").read_text())
        for name in ("evaluation", "evaluation_crf")
    )
    assert plain["images"] == 2 and plain["mean_iou"] > 0.8 and refined["images"] == 2
    assert plain["classes"][2]["name"] == "blue"
    before = (root / "out/tiny_iter_12.caffemodel").read_bytes()
    again = succeeds("run", root / "run.toml", "--stages", "train,evaluation")
    assert "train (1 of 3)" in again and (root / "out/tiny_iter_12.caffemodel").read_bytes() == before


def test_dry_run_and_failure(root, succeeds, capsys):
    from deeplab_caffe.commands import main

    assert "test (3 of 6)" in succeeds("run", root / "run.toml", "--dry-run")
    assert not list((root / "out").iterdir())
    (root / "a.png").unlink()
    assert main(["run", str(root / "run.toml")]) == 2
    captured = capsys.readouterr()
    assert "a.png: no such image" in captured.err and "(2 of 6)" not in captured.out
