"""BatchNorm, Scale and ReLU in one pass, as nets train in the fast precisions."""

import pytest
import torch

from deeplab_caffe.engine.net import Net

NET = """input: "x" input_shape { dim: 4 dim: 3 dim: 6 dim: 7 }
layer { name: "n" type: "BatchNorm" bottom: "x" top: "y" }
layer { name: "s" type: "Scale" bottom: "y" top: "y" scale_param { SCALE filler { type: "uniform" min: 0.5 }
  bias_filler { type: "uniform" } } }
layer { name: "r" type: "ReLU" bottom: "y" top: "y" }
layer { name: "p" type: "Power" bottom: "y" top: "z" power_param { power: 2 } loss_weight: 1 }
"""


@pytest.mark.parametrize("scale", ["", "bias_term: true"])
def test_one_pass_gives_what_three_give(tmp_path, scale):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("SCALE", scale))
    x = torch.randn(4, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    results = []
    seen: list[str] = []
    for on_layer in (None, lambda index, layer, tops: seen.append(layer.name)):
        net = Net(path, phase="train", precision="fp32", seed=1)
        module = net.module()
        data = x.clone().requires_grad_()
        loss = net.forward_train(x=data, on_layer=on_layer).loss
        loss.backward()
        gradients = [p.grad for p in module.parameters() if p.requires_grad]
        results.append([loss, data.grad, *gradients, *(blob.values() for blob in net.params["n"])])
    assert seen == ["n", "s", "r", "p"]
    assert len(results[0]) == 6 + bool(scale)
    for one, three in zip(*results, strict=True):
        assert (one - three).abs().max() <= 1e-5 * three.abs().max()
