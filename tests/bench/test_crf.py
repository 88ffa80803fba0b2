"""The CRF benchmark computes what it says; how long it takes is not tested."""

import json

import numpy as np
import pytest

from deeplab_caffe.bench import crf
from deeplab_caffe.commands import main
from deeplab_caffe.crf.refinement import image_crf

pytestmark = pytest.mark.slow


def test_problem():
    image, unary = crf.problem(crf.Case(20, 30, 4))
    assert image.shape == (20, 30, 3) and unary.shape == (20, 30, 4)
    assert np.isfinite(image_crf(image, 4).unary(unary).infer(2)).all()


def test_bench_crf(tmp_path, capsys):
    arguments = ["bench", "crf", "--sizes", "20x30", "--labels", "4", "--threads", "1,2", "--rounds", "1"]
    assert main([*arguments, "--no-scaling", "-o", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "crf.json").read_text())
    names = [row["candidate"] for row in result["results"]]
    first = ", first of its size"
    assert names[:4] == ["1 thread", f"1 thread{first}", "2 threads", f"2 threads{first}"]
    assert "1 thread" in capsys.readouterr().out
    assert all(row["memory"] > 0 and row["median"] > 0 for row in result["results"])
    assert (tmp_path / "crf.png").stat().st_size > 1000


def test_errors(tmp_path, capsys):
    assert main(["bench", "crf", "--labels", "4", "-o", str(tmp_path)]) == 2
    assert "one number for each" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="no pydensecrf2"):
        crf.find_peer("/bin/false")


def test_bench_crf_on_a_gpu(device, tmp_path, capsys):
    arguments = ["bench", "crf", "--sizes", "6x9", "--labels", "4", "--device", "cuda", "--rounds", "1"]
    with device.kernels():
        assert main([*arguments, "--batches", "1,2", "--no-scaling", "-o", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "crf_gpu.json").read_text())
    assert [row["size"] for row in result["results"]] == [[6, 9, 4, 1, "photo"], [6, 9, 4, 2, "photo"]]
    assert [row["size"][4] for row in result["flatness"]] == ["photo", "half", "tenth", "flat", "noise"]
    assert all(row["same_bits"] for row in result["flatness"])
    assert all(row["construction"] > 0 and row["captured"] > 0 for row in result["results"])
    assert (tmp_path / "crf_gpu.png").stat().st_size > 1000 and "photo" in capsys.readouterr().out


def test_bench_crf_on_a_gpu_within_a_limit(device, tmp_path, capsys):
    arguments = ["bench", "crf", "--sizes", "6x9", "--labels", "4", "--device", "cuda", "--rounds", "1"]
    with device.kernels():
        assert main([*arguments, "--limit", "0.000001", "-o", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "crf_gpu.json").read_text())
    assert len(result["results"]) == 1 and result["pixels"] == [] and len(result["flatness"]) == 1
    assert (tmp_path / "crf_gpu.png").stat().st_size > 1000
    assert main(["bench", "crf", "--limit", "5", "-o", str(tmp_path)]) == 2
    assert "--limit is for a GPU" in capsys.readouterr().err
