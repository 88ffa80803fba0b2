"""--level, --stage and --dialect choose the layers in every verb that takes a net."""

import numpy as np
import pytest

from deeplab_caffe.commands import main
from deeplab_caffe.commands.net_options import rules

# Of the first convolution's scores the net takes the largest, in stage `deploy` alone, or the sum.
NET = """name: "staged"
input: "data" input_shape { dim: 1 dim: 3 dim: 17 dim: 17 }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "m" type: "Eltwise" bottom: "c" bottom: "c" top: "m" eltwise_param { operation: MAX }
  include { stage: "deploy" min_level: 2 } }
layer { name: "s" type: "Eltwise" bottom: "c" bottom: "c" top: "s" exclude { stage: "deploy" } }
"""
DEPLOY = ("--stage", "deploy", "--level", "2")


@pytest.fixture
def staged(tmp_path):
    path = tmp_path / "staged.prototxt"
    path.write_text(NET)
    return path


def test_rules():
    assert rules(["A=1"], 2, ["deploy"], "v1") == {
        "variables": {"A": "1"},
        "level": 2,
        "stages": ["deploy"],
        "dialect": "v1",
    }


def test_diff(staged, tmp_path, succeeds, capsys):
    plain = tmp_path / "plain.prototxt"
    plain.write_text(
        NET.replace('include { stage: "deploy" min_level: 2 }', "").split('layer { name: "s"')[0]
    )
    assert "the same: 2 layers" in succeeds("diff", staged, plain, *DEPLOY)
    assert main(["diff", str(staged), str(plain)]) == 1
    assert "only in the first" in capsys.readouterr().out


def test_validate(staged, tmp_path, succeeds):
    np.save(tmp_path / "x.npy", np.ones((1, 3, 17, 17), np.float32))
    given = ("-m", staged, "--random-weights", "--input", tmp_path / "x.npy", *DEPLOY)
    succeeds("forward", *given, "--dump", tmp_path / "dump")
    result = succeeds("validate", *given, "--against", tmp_path / "dump", "--json")
    assert {comparison["blob"] for comparison in result["comparisons"]} == {"c", "m"}
    assert result["equal"] and not result["unpaired_theirs"]


@pytest.mark.slow
def test_export(staged, tmp_path, succeeds):
    out = tmp_path / "out"
    succeeds("export", "-m", staged, "--random-weights", "-o", out, "--to", "torch", *DEPLOY)
    text = (out / "net.py").read_text()
    assert "maximum" in text or "max" in text
    succeeds("export", "-m", staged, "--random-weights", "-o", out, "--to", "torch")
    assert "max" not in (out / "net.py").read_text()


@pytest.mark.slow
def test_bench(staged, tmp_path, succeeds):
    sizes = ("--sizes", "17", "--threads", "1", "--rounds", "1", "-o", tmp_path)
    succeeds("bench", "net", "-m", staged, "--name", "staged", *sizes, *DEPLOY)
    assert (tmp_path / "net_staged.json").exists()
    broken = tmp_path / "broken.prototxt"
    broken.write_text(NET.replace("operation: MAX", "operation: PROD coeff: 2"))
    assert main(["bench", "net", "-m", str(broken), *map(str, sizes), *DEPLOY]) == 2
