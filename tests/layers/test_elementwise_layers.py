"""The layers whose top is a function of each value alone, against float64."""

import math

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter


def layer(kind, fields=""):
    return f'layer {{ name: "e" type: "{kind}" bottom: "a" top: "b" {fields} }}'


X = torch.linspace(-30, 30, 4001)

CASES = [
    ("ReLU", "", lambda x: x.clamp(min=0)),
    ("ReLU", "relu_param { negative_slope: 0.25 }", lambda x: torch.where(x > 0, x, 0.25 * x)),
    ("AbsVal", "", torch.abs),
    ("Threshold", "threshold_param { threshold: 1.5 }", lambda x: (x > 1.5).double()),
    ("Sigmoid", "", torch.sigmoid),
    ("TanH", "", torch.tanh),
    ("BNLL", "", lambda x: torch.nn.functional.softplus(x, threshold=100)),
    ("ELU", "elu_param { alpha: 0.5 }", lambda x: torch.nn.functional.elu(x, 0.5)),
    ("Power", "power_param { power: 2 scale: 0.5 shift: -1 }", lambda x: (0.5 * x - 1) ** 2),
    ("Power", "power_param { scale: 3 }", lambda x: 3 * x),
    ("Power", "power_param { power: 0 scale: 3 }", torch.ones_like),
    ("Power", "power_param { power: 3 scale: 0 shift: 2 }", lambda x: torch.full_like(x, 8)),
    ("Exp", "", torch.exp),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 3 }", lambda x: 2 ** (0.5 * x + 3)),
    ("Exp", "exp_param { shift: 1 }", lambda x: torch.exp(x + 1)),
]


@pytest.mark.parametrize(("kind", "fields", "wanted"), CASES)
def test_against_float64(run_layer, kind, fields, wanted):
    for threads in (1, 2):
        run = run_layer(layer(kind, fields), threads=threads)
        (top,) = run(X)
        torch.testing.assert_close(top.double(), wanted(X.double()), rtol=2e-6, atol=1e-7)
        # In place
        y = X.clone()
        run.layer.forward([y], [y])
        assert torch.equal(y, top)


def test_log(run_layer):
    x = X.abs() + 1e-3
    (top,) = run_layer(layer("Log", "log_param { base: 10 scale: 2 shift: 1 }"))(x)
    torch.testing.assert_close(top.double(), torch.log10(2 * x.double() + 1), rtol=1e-5, atol=1e-6)
    assert run_layer(layer("Log"))(torch.tensor([0.0]))[0].item() == -math.inf


def test_relu_fast(run_layer):
    for fields in ("", "relu_param { negative_slope: 0.25 }"):
        run = run_layer(layer("ReLU", fields))
        assert torch.equal(run.layer.forward_fast([X])[0], run(X)[0])


@pytest.mark.parametrize("shared", ["true", "false"])
def test_prelu(run_layer, rand, shared):
    x = rand(2, 3, 4, 5)
    run = run_layer(layer("PReLU", f"prelu_param {{ channel_shared: {shared} }}"))
    (shape,) = run.layer.blob_shapes([tuple(x.shape)])
    slope = torch.rand(shape)
    run.layer.blobs = [Parameter(shape, lambda: slope)]
    assert run.layer.fillers() == [0.25]
    assert torch.equal(run(x)[0], torch.where(x > 0, x, x * slope.view(-1, 1, 1)))


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("Exp", "exp_param { base: -2 }", "base"),
        ("Exp", "exp_param { base: inf }", "base"),
        ("Log", "log_param { base: 0 }", "base"),
        ("Log", "log_param { base: 1 }", "base"),
    ],
)
def test_wrong_fields(run_layer, kind, fields, field):
    with pytest.raises(DeepLabError, match=rf"\({kind}\): {field}"):
        run_layer(layer(kind, fields))
