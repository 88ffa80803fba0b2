"""The precision fp32 on the CPU: one scale and one shift stand for BatchNorm and Scale."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from tests.values import normal

CONVOLUTION = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 dim: 17 dim: 13 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 10 kernel_size: 3 pad: 2 dilation: 2 %s weight_filler { type: "xavier" }
    bias_filler { type: "gaussian" std: 1 } } }
"""
NORMALISATION = """
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" batch_norm_param { use_global_stats: true } }
layer { name: "scale" type: "Scale" bottom: "bn" top: "scale"
  scale_param { bias_term: true filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } } }
"""
SUM = """
layer { name: "other" type: "Convolution" bottom: "data" top: "other"
  convolution_param { num_output: 10 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "other" bottom: "scale" top: "sum" }
layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }
"""


@pytest.fixture
def nets(tmp_path):
    def make(text):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        nets = [Net(path, seed=1, precision=precision) for precision in ("exact", "fp32")]
        for net in nets:
            if "bn" in net.params:
                mean, variance, factor = net.params["bn"]
                mean.data, variance.data = normal(10, seed=2), 0.5 + normal(10, seed=3).abs()
                factor.data = torch.ones(1)
        return nets

    return make


@pytest.mark.parametrize("bias", ["", "bias_term: false"])
@pytest.mark.parametrize("following", [NORMALISATION, NORMALISATION + SUM])
def test_the_same_but_for_rounding(nets, bias, following):
    exact, fast = nets(CONVOLUTION % bias + following)
    x = normal(2, 6, 17, 13)
    wanted, got = exact(x), fast(x)
    error = (got - wanted).abs().max() / wanted.abs().max()
    assert 0 < error < 1e-6
    seen = {}
    fast.forward(data=x, on_layer=lambda i, layer, tops: seen.update(tops))
    torch.testing.assert_close(seen[list(seen)[-1]], wanted, rtol=1e-5, atol=1e-5)


def test_changed_parameters_are_seen(nets):
    exact, fast = nets(CONVOLUTION % "" + NORMALISATION)
    x = normal(2, 6, 17, 13)
    before = fast(x)
    for net in (exact, fast):
        net.params["scale"][0].data = normal(10, seed=5)
    assert not torch.equal(fast(x), before)
    torch.testing.assert_close(fast(x), exact(x), rtol=1e-5, atol=1e-5)


def test_without_normalisation_nothing_changes(nets):
    exact, fast = nets(CONVOLUTION % "")
    x = normal(2, 6, 17, 13)
    assert torch.equal(fast(x), exact(x))
