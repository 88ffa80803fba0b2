import json

import numpy as np
import pytest

from deeplab_caffe.commands import main


@pytest.fixture
def dumped(net, tmp_path, succeeds):
    """A dump of the net for an input, and the arguments to validate with it."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "input.npy", generator.standard_normal((2, 3, 5, 7)).astype(np.float32))
    arguments = ("-m", net, "--input", tmp_path / "input.npy")
    succeeds("forward", *arguments, "--dump", tmp_path / "dump", "--json")
    return ("validate", *arguments, "--against", tmp_path / "dump")


def test_equal(dumped, tmp_path, succeeds):
    assert "equal: 1 array has the same bits" in " ".join(str(succeeds(*dumped)).split())
    result = succeeds(*dumped, "--json", "-o", tmp_path / "dump" / "report")
    assert result["equal"] and result["format"] == "deeplab_caffe.validate/1"
    assert succeeds(*dumped, "--json")["unpaired_theirs"] == []  # an earlier report is passed over
    assert json.loads((tmp_path / "dump" / "report" / "report.json").read_text())["equal"]


def test_different(dumped, tmp_path, succeeds, capsys):
    (tmp_path / "dump" / "forward.json").unlink()
    path = tmp_path / "dump" / "000_scores__scores.npy"
    values = np.load(path)
    values[0, 0, 0, 0] = np.nextafter(values[0, 0, 0, 0], np.float32(9))
    np.save(path, values)
    assert main([str(a) for a in dumped]) == 1
    out = capsys.readouterr().out
    assert "differs from layer 'scores'" in out and "different" in out
    assert "equal within what was allowed" in succeeds(*dumped, "--ulp", 1)


def test_errors(dumped, net, tmp_path, fails):
    assert "against" in fails(*dumped[:-2])
    assert "nowhere: no such file or folder" in fails(*dumped[:-1], tmp_path / "nowhere")
    assert "a.jpg: No such file" in fails("validate", "-m", net, "--input", "a.jpg", *dumped[-2:])
