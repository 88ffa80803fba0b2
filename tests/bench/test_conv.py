"""The convolution benchmark computes what it says; how long it takes is not tested."""

import json

import pytest
import torch

from deeplab_caffe.bench import conv
from deeplab_caffe.bench.conv_layers import LAYERS, ConvLayer
from deeplab_caffe.commands import main

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_candidates_compute_the_same():
    layer = ConvLayer("small", 8, 20, 3, (1, 4))
    case = conv.Case(layer, 97, 2, CPU)
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
    assert layer.multiply_adds(513, inside=False) == 65 * 65 * 9 * 2 * 3
    share = layer.multiply_adds(513, inside=True) / layer.multiply_adds(513, inside=False)
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


def test_nothing_is_begun_after_the_limit():
    layer = ConvLayer("small", 8, 20, 1, (1,))
    result = conv.run([layer], [33], [1, 2], ["exact"], 1, "cpu", limit=1e-9)
    assert result["left_out"] == ["small, size 33, batch 2", "small, size 33, batch 1"]


@pytest.mark.parametrize("wrong", [["--precisions", "bf16"], ["--layers", "conv9"], ["--device", "cuda:77"]])
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
