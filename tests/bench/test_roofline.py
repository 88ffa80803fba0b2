import json

import pytest

from deeplab_caffe.bench import roofline
from deeplab_caffe.commands import main
from deeplab_caffe.errors import DeepLabError

NET = """name: "tiny" input: "x" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "d" type: "Dropout" bottom: "c" top: "d" }
layer { name: "p" type: "Pooling" bottom: "d" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.mark.parametrize("clock", ["wall", pytest.param("processor", marks=pytest.mark.slow)])
def test_steps_and_shares(model, tmp_path, capsys, monkeypatch, clock):
    monkeypatch.setattr(roofline, "_PRODUCT", 192)  # what the machine can do is not the point here
    monkeypatch.setattr(roofline, "_COPIED", 1 << 22)
    out = tmp_path / "out"
    run = ["bench", "roofline", "--model", model, "--size", "12x10", "--rounds", "2", "-o", out]
    run += ["--clock", clock, "--name", "tiny"]
    assert main([str(word) for word in run]) == 0
    assert "of its roof" in capsys.readouterr().out
    result = json.loads((out / "roofline_tiny.json").read_text())
    limits = result["limits"]
    assert result["clock"] == clock
    assert set(limits) == {"fma", "sgemm", "torch_sgemm", "bandwidth"} and min(limits.values()) > 1e6
    convolution, pooling = result["layers"]  # ReLU in the convolution's pass, Dropout does nothing
    assert convolution["layers"] == ["c"] and pooling["layers"] == ["p"]
    assert convolution["flops"] == 2 * 8 * 10 * 8 * 27 and pooling["flops"] == 0
    assert convolution["bytes"] == 4 * (3 * 12 * 10 + 8 * 10 * 8 + 8 * 27 + 8)
    assert pooling["bytes"] == 4 * (8 * 10 * 8 + 8 * 5 * 4) and pooling["bound"] == "memory"
    for row in result["layers"]:
        assert row["peak_share"] == row["flops"] / row["seconds"] / limits["fma"]
        least = max(row["flops"] / limits["fma"], row["bytes"] / limits["bandwidth"])
        assert row["roof_share"] == pytest.approx(least / row["seconds"])


@pytest.mark.slow
def test_a_chain_in_bands_is_one_step():
    result = roofline.run("deeplab_v1/largefov", (257, 385), 1, 1, {})
    first = result["layers"][0]
    assert first["layers"] == ["conv1_1", "conv1_2", "pool1"]
    taps = 257 * 385 * 64 * 9 * (3 + 64)  # those in the padding are left out
    assert 0.98 * 2 * taps < first["flops"] < 2 * taps


def test_errors(model, capsys):
    for words, text in {
        ("--precision", "bf16"): "exact or fp32",
        ("--size", "8,9"): "one size",
        ("--clock", "x"): "wall or",
    }.items():
        assert main(["bench", "roofline", "--model", str(model), *words]) == 2
        assert text in capsys.readouterr().err
    two = 'input: "y" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1 input: "x"'
    model.write_text(NET.replace('input: "x"', two))
    with pytest.raises(DeepLabError, match="one input wanted"):
        roofline.run(str(model), (12, 10), 1, 1, {})
