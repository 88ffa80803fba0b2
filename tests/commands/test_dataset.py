"""The verb `dataset`: from tiny official folders to lists, and on to training with them."""

import json
from pathlib import Path

from deeplab_caffe.commands import main

REAL = Path(__file__).parents[3] / "shared/data/camvid"


def test_every_set(camvid_root, cityscapes_root, context_root, voc_root, small_voc, tmp_path, succeeds):
    for words, classes in (
        (("voc", voc_root, "--sbd", tmp_path / "benchmark_RELEASE"), 21),
        (("context", context_root, "--annotations", context_root, "--classes", 59), 59),
        (("cityscapes", cityscapes_root, "--threads", 1), 19),
        (("camvid", camvid_root), 11),
    ):
        out = tmp_path / f"out/{words[0]}"
        text = succeeds("dataset", *words, "-o", out)
        told = json.loads((out / "dataset.json").read_text())
        assert "next: deeplab-caffe run" in text and "list/val.txt" in text
        assert len(told["classes"]) == classes and told["remarks"] == []
        assert (out / "palette.txt").exists() and len(list(out.glob("*.toml"))) == 1
        assert " 0 were there" in text and ", 0 were" not in succeeds("dataset", *words, "-o", out)


def test_errors(voc_root, tmp_path, fails):
    out = tmp_path / "out"
    assert "--partial takes what is there" in fails("dataset", "voc", voc_root, "-o", out)
    assert "train: 1,464 images expected, 2 found" in fails("dataset", "voc", voc_root, "-o", out)
    assert "--net x: unknown" in fails("dataset", "voc", voc_root, "-o", out, "--net", "x")
    assert "--classes 3: 60, 59" in fails("dataset", "context", voc_root, "-o", out, "--classes", 3)
    assert not out.exists()


def test_partial(voc_root, tmp_path, capsys):
    assert main(["dataset", "voc", str(voc_root), "-o", str(tmp_path / "out"), "--partial"]) == 0
    captured = capsys.readouterr()
    assert "warning: " in captured.err and "train: 1,464 images expected, 2 found" in captured.err
    assert len(json.loads((tmp_path / "out/dataset.json").read_text())["remarks"]) == 3
