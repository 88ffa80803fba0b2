import torch

from deeplab_caffe.engine.net import Net


def test_it_is_learned(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "s" type: "Power" bottom: "p" top: "s" power_param { scale: 2 } }\n'
        'layer { name: "l" type: "Reduction" bottom: "s" top: "l" loss_weight: 1 '
        "reduction_param { operation: SUMSQ } }\n"
    )
    net = Net(path, phase="train")
    assert net.outputs == {"l": ()} and not net.inputs
    net.params["p"][0].data = torch.arange(6.0).view(2, 3)
    assert float(net.forward()["l"]) == 4 * 55
    module = net.module()
    loss, _ = module()
    loss.backward()
    (parameter,) = module.parameters()
    assert torch.equal(parameter.grad.flatten(), 8 * torch.arange(6.0))
