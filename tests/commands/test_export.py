import json
from pathlib import Path

import pytest
import torch

from deeplab_caffe.assets import asset
from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.caffemodel import read_caffemodel

pytestmark = pytest.mark.usefixtures("quick_exports")

EVERY_LAYER = Path(__file__).parents[1] / "export/every_layer.prototxt"
NET = """name: "small"
input: "data" input_shape { dim: 1 dim: 3 dim: 17 dim: 20 }
layer { name: "conv/1" type: "Convolution" bottom: "data" top: "a"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "pool" type: "Pooling" bottom: "a" top: "b"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "up" type: "Interp" bottom: "b" top: "scores" interp_param { zoom_factor: 2 } }
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


def run(model, tmp_path, *more):
    return ("export", "-m", model, "--random-weights", "-o", tmp_path / "out", *more)


@pytest.mark.slow
def test_the_formats_of_torch_and_caffe(model, tmp_path, succeeds):
    told = succeeds(*run(model, tmp_path, "--to", "torch,torchscript,npz,hdf5,caffemodel"))
    assert "net.py: " in told and "FAILED" not in told
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("net.py", "net.pt", "net.torchscript.pt", "net.npz", "net.caffemodel.h5", "net.caffemodel"),
        "export.json",
    }
    report = json.loads((tmp_path / "out/export.json").read_text())
    assert report["passed"] and report["net"] == "small" and len(report["checks"]) == 10
    assert max(check["error"] for check in report["checks"]) < 1e-6
    saved = torch.load(tmp_path / "out/net.pt", weights_only=True)
    assert {name: tuple(value.shape) for name, value in saved.items()} == {
        "conv_1.weight": (4, 3, 3, 3), "conv_1.bias": (4,), "bn.running_mean": (4,), "bn.running_var": (4,)
    }  # fmt: skip


@pytest.mark.slow
def test_what_goes_out_comes_back_with_the_same_bits(model, tmp_path, succeeds):
    out = tmp_path / "out"
    succeeds(*run(model, tmp_path, "--to", "torch,caffemodel"))
    succeeds("convert", out / "net.pt", "--model", model, "-o", tmp_path / "back")
    there, back = (
        {layer.name: layer.blobs for layer in read_caffemodel(path) if layer.blobs}
        for path in (out / "net.caffemodel", tmp_path / "back/weights.caffemodel")
    )
    assert there.keys() == back.keys() == {"conv/1", "bn"}
    for name, blobs in there.items():
        assert all(a.equal(b) for a, b in zip(blobs, back[name], strict=True))


@pytest.mark.slow
def test_pt2_onnx_and_safetensors_take_any_size(tmp_path, succeeds):
    for name in ("onnx", "onnxscript", "onnxruntime", "safetensors"):
        pytest.importorskip(name)
    succeeds(*run(EVERY_LAYER, tmp_path, "--to", "pt2", "--to", "onnx,safetensors"))
    report = json.loads((tmp_path / "out/export.json").read_text())
    assert report["passed"]
    assert {check["input"] for check in report["checks"]} == {"1x3x33x41", "2x3x54x83"}


@pytest.mark.slow
def test_trained_weights_give_the_nets_labels(tmp_path, succeeds):
    model, weights = (
        asset("prototxt/camvid_largefov/deploy.prototxt"),
        asset("weights/camvid_largefov.caffemodel"),
    )
    command = ("export", "-m", model, "-w", weights, "--to", "torch", "--size", "97x129", "-o", tmp_path)
    assert "1x3x97x129" in succeeds(*command)
    names = [key for key in torch.load(tmp_path / "net.pt", weights_only=True) if key.endswith("weight")]
    assert names == [f"{name}.weight" for name in Net(model).params]


def test_wrong_arguments_are_one_line(model, tmp_path, fails):
    assert "--to tensorflow: one of torch, safetensors" in fails(*run(model, tmp_path, "--to", "tensorflow"))
    command = ("export", "-m", model, "-o", tmp_path / "out", "--to", "torch")
    assert "no weights given (--weights) for conv/1, bn" in fails(*command)
    assert "--fold: not for caffemodel" in fails(*run(model, tmp_path, "--to", "caffemodel", "--fold"))
    assert "no blob is named 'x'" in fails(*run(model, tmp_path, "--to", "torch", "--outputs", "x"))
    assert "--size 3: HEIGHTxWIDTH" in fails(*run(model, tmp_path, "--to", "torch", "--size", "3"))
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_told(model, tmp_path, fails, monkeypatch):
    from deeplab_caffe.export import targets

    monkeypatch.setattr(targets, "find_spec", lambda name: None)
    told = fails(*run(model, tmp_path, "--to", "onnx"))
    assert "--to onnx needs onnx, onnxscript, onnxruntime: pip install 'deeplab_caffe[export]'" in told


def test_a_format_that_does_not_take_the_net_is_a_failure_of_its_own(model, tmp_path, monkeypatch):
    from deeplab_caffe.commands import main
    from deeplab_caffe.export import export

    def changed(prepared, name, folder, cases):
        return [[1.1 * value for value in case.outputs.values()] for case in cases]

    monkeypatch.setattr(export, "_run", changed)
    assert main([str(word) for word in run(model, tmp_path, "--to", "torch")]) == 1
    report = json.loads((tmp_path / "out/export.json").read_text())
    assert not report["passed"] and not any(check["passed"] for check in report["checks"])
