"""The nets with torchvision's and segmentation_models_pytorch's names, against the same in PyTorch."""

from pathlib import Path

import pytest
import torch

from deeplab_caffe.convert.fill import fill
from deeplab_caffe.convert.layouts import TORCH
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.stored import StoredArray
from deeplab_caffe.generate.torch_deeplab import FAMILY, TorchDeepLab

from ..convert import torch_models

NETS = Path(__file__).parents[2] / "prototxt"


def parsed(net):
    return read_net("net.prototxt", text=net.deploy())


@pytest.mark.parametrize("net", FAMILY, ids=lambda net: net.name)
def test_as_generated(net):
    assert (NETS / net.family / net.name / "deploy.prototxt").read_text() == net.deploy()


@pytest.mark.slow
def test_parameters():
    """As many as torchvision says; what it says includes an auxiliary head that only training needs."""
    published = {"resnet50": 42004074, "resnet101": 60996202, "mobilenet_v3_large": 11029328}
    for backbone, whole in published.items():
        cost = analyse(parsed(TorchDeepLab("torchvision", backbone)))
        model, auxiliary = torch_models.torchvision(backbone), (40 if "mobile" in backbone else 1024)
        inner = auxiliary // 4
        auxiliary = 9 * auxiliary * inner + 2 * inner + (inner + 1) * 21
        divisors = sum(layer.type == "BatchNorm" for layer in cost.layers)
        statistics = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
        count = sum(p.numel() for p in model.parameters())
        assert cost.parameters - divisors == count + statistics
        assert count == whole - auxiliary


CASES = [
    (TorchDeepLab("torchvision", "resnet50"), (196, 209)),
    (TorchDeepLab("torchvision", "mobilenet_v3_large"), (226, 401)),
    (TorchDeepLab("smp", "resnet50", 16), (288, 240)),
    (TorchDeepLab("smp", "resnet50", 8, (2, 4, 8)), (128, 160)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("net", "size"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_equals_torch(net, size):
    if net.package == "torchvision":
        model = torch_models.torchvision(net.backbone)
    else:
        model = torch_models.smp(net.backbone, net.output_stride, net.rates)
    torch_models.randomise(model, 3)
    state = {
        name: StoredArray(tuple(tensor.shape), lambda tensor=tensor: tensor.numpy())
        for name, tensor in model.state_dict().items()
    }
    ours = Net(parsed(net))
    filled = fill(ours.definition, TORCH, state, "state")
    assert not filled.unused
    layers = {layer.name: layer for layer in ours.layers}
    for stored in filled.layers:
        for blob, values in zip(layers[stored.name].blobs, stored.blobs, strict=True):
            blob.data = values
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = dict(zip(("logits", "upsampled_logits"), model(image), strict=True))
    for name, values in ours.forward(data=image, outputs=list(wanted)).items():
        assert (values - wanted[name]).abs().max() < 2e-5 * wanted[name].abs().max(), name


@pytest.mark.parametrize(
    "options",
    [
        {"package": "keras"},
        {"backbone": "vgg"},
        {"output_stride": 16},
        {"rates": (0,)},
        {"package": "smp", "backbone": "mobilenet_v3_large"},
        {"size": (0, 0)},
    ],
)
def test_errors(options):
    with pytest.raises(DeepLabError):
        TorchDeepLab(**{"package": "torchvision", "backbone": "resnet50", **options})
