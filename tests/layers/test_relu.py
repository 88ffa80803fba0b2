import pytest
import torch

from tests.layers.layer_text import layer


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("", lambda x: x.clamp(min=0)),
        ("relu_param { negative_slope: 0.25 }", lambda x: torch.where(x > 0, x, 0.25 * x)),
    ],
)
def test_against_float64(against_float64, fields, wanted):
    against_float64("ReLU", wanted, fields)


def test_relu_fast(run_layer):
    x = torch.linspace(-30, 30, 4001)
    for fields in ("", "relu_param { negative_slope: 0.25 }"):
        run = run_layer(layer("ReLU", fields))
        assert torch.equal(run.layer.forward_fast([x])[0], run(x)[0])
