import pytest
import torch

from tests.layers.layer_text import layer


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("variance", ["true", "false"])
def test_mvn(run_layer, rand, across, variance):
    x = rand(2, 3, 6, 5)
    fields = f"mvn_param {{ across_channels: {across} normalize_variance: {variance} eps: 0.01 }}"
    axes = (1, 2, 3) if across == "true" else (2, 3)
    wanted = x.double() - x.double().mean(axes, keepdim=True)
    if variance == "true":
        wanted /= x.double().std(axes, keepdim=True, correction=0) + 0.01
    torch.testing.assert_close(run_layer(layer("MVN", fields))(x)[0].double(), wanted, rtol=1e-5, atol=1e-6)
