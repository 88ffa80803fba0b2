"""The convolution benchmark computes what it says; how long it takes is not tested."""

import csv
import json

import pytest
import torch

from deeplab_caffe.bench import conv
from deeplab_caffe.bench.conv_layers import LAYERS, ConvLayer, shapes_of
from deeplab_caffe.bench.conv_shapes import read_shapes
from deeplab_caffe.commands import main

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_candidates_compute_the_same():
    layer = ConvLayer("small", 8, 20, 3, (1, 4))
    case = conv.Case(layer.at(97, 2), CPU)
    ours = case.ours("exact")(0)
    assert [tuple(y.shape) for y in ours] == [(2, 20, 13, 13)] * 2
    for last in (False, True):
        for a, b in zip(ours, case.torchs("fp32", last)(0), strict=True):
            assert (a - b).norm() / a.norm() < 1e-6
        assert (case.torchs("bf16", last)(0)[1] - ours[1]).norm() / ours[1].norm() < 2e-2
    assert 0 < case.error(ours) < 1e-6
    assert case.error([y + 1 for y in ours]) > 0.1


def test_work_counts_taps():
    layer = ConvLayer("aspp", 2, 3, 3, (24,))
    shape = layer.at(513, 2)
    assert shape.multiply_adds(inside=False) == 2 * 65 * 65 * 9 * 2 * 3
    share = shape.multiply_adds(inside=True) / shape.multiply_adds(inside=False)
    assert abs(share - 0.57) < 0.01
    names = [layer.name for layer in LAYERS]
    assert len(set(names)) == len(names)
    assert {rate for layer in LAYERS for rate in layer.rates} >= {2, 4, 6, 12, 18, 24}


def test_command(tmp_path):
    arguments = ["--sizes", "33", "--batches", "1", "--layers", "fc8", "--rounds", "2", "--device", "cpu"]
    assert main(["bench", "conv", *arguments, "-o", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "conv_fc8.json").read_text())
    rows = {row["candidate"]: row for row in result["results"]}
    assert set(rows) == {"torch fp32 NCHW", "torch fp32 NHWC", "ours exact"}
    assert rows["ours exact"]["error"] < 1e-6 and len(rows["ours exact"]["seconds"]) == 2
    assert rows["ours exact"]["nominal_share"] > 0 and not result["left_out"]
    assert (tmp_path / "conv_fc8.png").stat().st_size > 1000


def test_own_shapes(tmp_path, capsys):
    (tmp_path / "shapes.csv").write_text("N,C,H,W,K,R,S,rate,stride,groups\n2,6,9,8,4,3,3,2,1,2\n")
    shapes = ["--shape", "1,8,13,11,20,3,2,4", "--shape", str(tmp_path / "shapes.csv")]
    arguments = ["bench", "conv", *shapes, "--rounds", "2", "--device", "cpu", "-o", str(tmp_path)]
    assert main(arguments) == 0
    assert "13x11" in capsys.readouterr().out
    result = json.loads((tmp_path / "conv_shapes.json").read_text())
    ours = [row for row in result["results"] if row["candidate"] == "ours exact"]
    assert [row["layer"] for row in ours] == ["1,8,13,11,20,3,2,4", "2,6,9,8,4,3,3,2,1,2"]
    assert [row["map"] for row in ours] == [[13, 11], [9, 8]]
    assert all(row["error"] < 1e-6 and row["size"] is None for row in result["results"])
    heading, *rows = csv.reader((tmp_path / "conv_shapes.csv").read_text().splitlines())
    assert len(rows) == len(result["results"]) == 6
    line = dict(zip(heading, rows[2], strict=True))
    assert line["candidate"] == "ours exact" and line["map"] == "13x11"
    assert float(line["seconds"]) == pytest.approx(ours[0]["median"], rel=1e-5)
    assert (tmp_path / "conv_shapes.png").stat().st_size > 1000


def test_each_shape_is_saved_when_it_is_measured():
    saved = []
    shapes = read_shapes(["1,8,13,11,20,3,3,2", "1,4,9,8,4,1,1,1"])
    result = conv.run(
        shapes, ["exact"], 1, "cpu", None, save=lambda r: saved.append((len(r["results"]), "machine" in r))
    )
    assert saved == [(3, True), (6, True)] and len(result["results"]) == 6
    late = conv.run(shapes, ["exact"], 1, "cpu", 1e-9)
    assert late["left_out"] == [shape.name for shape in shapes] and not late["results"]


def test_cudnn_may_be_free_to_choose():
    cuda = torch.device("cuda")
    assert [deterministic for _, _, deterministic in conv._peers(cuda, "fp32", True)].count(True) == 2
    assert not any(deterministic for _, _, deterministic in conv._peers(cuda, "fp32", False))


@pytest.mark.parametrize("groups", [1, 2, 10, 40])
def test_the_error_is_that_of_the_checked_outputs(groups):
    (shape,) = read_shapes([f"1,40,5,6,80,3,3,2,1,{groups}"])
    case = conv.Case(shape, CPU)
    y = case.ours("exact")(0)
    assert 0 < case.error(y) < 1e-6
    y[0][:, 0] += 1
    assert case.error(y) > 0.01


def test_a_gpu_measures_one_candidate_after_the_other(monkeypatch):
    """The way of a GPU, with the CPU's tensors and no clock."""
    case = conv.Case(read_shapes(["1,40,5,6,80,3,3,2"])[0], CPU)
    case.device = torch.device("cuda")
    monkeypatch.setattr(conv, "seconds", lambda run, inputs, rounds, device: [0.5 * len(run(0))] * rounds)
    rows = {row["candidate"]: row for row in conv.measure_case(case, ["exact"], 3, {"fp32": 1e12})}
    assert set(rows) == {f"torch fp32 {n}{d}" for n in ("NCHW", "NHWC") for d in ("", " deterministic")} | {
        "ours exact"
    }
    for row in rows.values():
        assert row["seconds"] == [0.5] * 3 and row["ratio"] == 1.0 and 0 < row["error"] < 1e-6
        assert row["nominal_share"] == pytest.approx(2 * 5 * 6 * 9 * 40 * 80 / 0.5 / 1e12)


def test_nothing_is_begun_after_the_limit():
    layer = ConvLayer("small", 8, 20, 1, (1,))
    result = conv.run(shapes_of([layer], [33], [1, 2]), ["exact"], 1, "cpu", limit=1e-9)
    assert result["left_out"] == ["small, size 33, batch 2", "small, size 33, batch 1"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--precisions", "bf16"],
        ["--layers", "conv9"],
        ["--device", "cuda:77"],
        ["--shape", "1,2"],
        ["--shape", "1,8,9,9,8,3,3,1", "--batches", "2"],
    ],
)
def test_wrong_arguments(wrong, capsys):
    assert main(["bench", "conv", "--device", "cpu", *wrong]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.gpu
def test_on_a_gpu(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    arguments = ["--sizes", "65", "--batches", "2", "--layers", "fc6 rate 12", "--device", "cuda"]
    assert main(["bench", "conv", *arguments, "--rounds", "2", "-o", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "conv_fc6_rate_12_gpu.json").read_text())
    ours = {row["candidate"]: row for row in result["results"] if row["candidate"].startswith("ours")}
    assert set(ours) == {f"ours {precision}" for precision in conv.CLASSES}
    assert ours["ours exact"]["error"] < 1e-6 and ours["ours bf16"]["error"] < 2e-2
