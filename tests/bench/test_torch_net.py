import pytest
import torch

from deeplab_caffe.assets import asset
from deeplab_caffe.bench.net import PEERS
from deeplab_caffe.bench.torch_net import TorchNet
from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("peer", PEERS)
def test_the_torch_peer_computes_the_same_net(model, peer):
    net = Net(model)
    random_weights(net)
    x = torch.randn(1, 3, 33, 41)
    ours, theirs = net(x), PEERS[peer](net)(x).float()
    assert (ours - theirs).norm() / ours.norm() < (2e-2 if "bf16" in peer else 1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "deeplab_v3/torchvision_mobilenet_v3_large",
        "deeplab_v3/resnet_v1_50_beta",
        "deeplab_v3plus/mobilenet_v2",
        "deeplab_v3plus/xception_41",
    ],
)
def test_the_torch_peer_of_the_newer_nets(name):
    net = Net(asset(f"prototxt/{name}/deploy.prototxt"), inputs={"data": (1, 3, 66, 49)})
    random_weights(net)
    x = torch.randn(1, 3, 66, 49)
    ours = net(x)
    for fold in (False, True):
        assert (ours - TorchNet(net, fold=fold)(x)).norm() / ours.norm() < 1e-4


def test_the_torch_peer_trains_the_same_net(model):
    net = Net(model)
    random_weights(net)
    peer, module, x = TorchNet(net), net.module(), torch.randn(1, 3, 33, 41)
    weights = [parameter.requires_grad_() for parameter in peer.parameters()]
    peer.forward(x).sum().backward()
    module(x).outputs["i"].sum().backward()
    learned = dict(module.named_parameters())
    for name, ours in (("c1.weight", weights[0]), ("c2.weight", weights[1]), ("c2.bias", weights[2])):
        torch.testing.assert_close(learned[name].grad.view_as(ours), ours.grad, rtol=1e-4, atol=1e-3)
