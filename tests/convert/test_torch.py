"""PyTorch's state dicts: a file of random weights -> convert -> forward, against the model they come from."""

import json
import struct

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from deeplab_caffe import Net
from deeplab_caffe.commands import app, main

from . import torch_models

pytestmark = pytest.mark.slow


def write_pth(path, state):
    """As training leaves it: wrapped, with an auxiliary head."""
    state = state | {"aux_classifier.0.weight": torch.zeros(3)}
    torch.save({"epoch": 3, "model": {f"module.{name}": value for name, value in state.items()}}, path)


def write_safetensors(path, state):
    header, data = {}, b""
    types = {torch.float32: "F32", torch.int64: "I64"}
    for name, value in state.items():
        values = value.numpy().tobytes()
        ends = [len(data), len(data) + len(values)]
        header[name] = {"dtype": types[value.dtype], "shape": list(value.shape), "data_offsets": ends}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def convert(*words):
    return CliRunner().invoke(app, ["convert", *map(str, words)])


CASES = {
    "torchvision-resnet50": (lambda: torch_models.torchvision("resnet50", 5), "resnet50", (), (81, 64)),
    "torchvision-mobilenet": (
        lambda: torch_models.torchvision("mobilenet_v3_large"),
        "mobilenet_v3_large",
        (),
        (97, 130),
    ),
    "smp-resnet50": (
        lambda: torch_models.smp("resnet50", 8, (2, 4, 6)),
        "resnet50",
        ("--output-stride", 8, "--rates", "2,4,6", "--decoder", 4),
        (64, 96),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_model(tmp_path, name):
    build, backbone, options, size = CASES[name]
    model = torch_models.randomise(build(), 7)
    package = name.partition("-")[0]
    file = tmp_path / ("w.pth" if package == "torchvision" else "w.safetensors")
    (write_pth if package == "torchvision" else write_safetensors)(file, model.state_dict())
    result = convert(file, "--backbone", backbone, *options, "-o", tmp_path / "net")
    assert result.exit_code == 0, result.output
    assert "only for training: " in result.output and "left over" not in result.output
    net = Net(tmp_path / "net/deploy.prototxt", tmp_path / "net/weights.caffemodel")
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = dict(zip(("logits", "upsampled_logits"), model(image), strict=True))
    found = net.forward(data=image, outputs=list(wanted))
    for blob, values in wanted.items():
        error = (found[blob] - values).abs().max() / values.abs().max()
        assert error <= 2e-5, (blob, error)
    assert torch.equal(found["upsampled_logits"].argmax(1), wanted["upsampled_logits"].argmax(1))


def test_wrong_nets(tmp_path, capsys):
    def error(state, *options):
        torch.save(state, tmp_path / "w.pth")
        assert main(["convert", str(tmp_path / "w.pth"), *options, "-o", str(tmp_path / "net")]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        return message

    state = torch_models.torchvision("mobilenet_v3_large").state_dict()
    assert "not the weights of DeepLab-v3-torchvision_resnet50: " in error(state, "--backbone", "resnet50")
    assert "backbone: xception_65 given" in error(state, "--backbone", "xception_65")
    mobile = ("--backbone", "mobilenet_v3_large")
    assert "--multi-grid: torchvision's nets" in error(state, *mobile, "--multi-grid", "1,2,4")
    assert "--decoder: torchvision's nets" in error(state, *mobile, "--decoder", "4")
    assert "output stride: 8 given" in error(state, *mobile, "--output-stride", "8")
    assert "have no place in" in error(state | {"backbone.17.0.weight": torch.zeros(1)}, *mobile)
    other = nn.Conv2d(1, 1, 1).state_dict()
    assert "neither torchvision's nor" in error(other, "--backbone", "resnet50")
    assert not (tmp_path / "net").exists()
