"""Our DeepLab v3 and v3+ nets are what the generator writes; they compute what a plain rendering does."""

from pathlib import Path

import pytest
import torch

from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.generate import torch_deeplab
from deeplab_caffe.generate.deeplab_v3 import BACKBONES, FAMILY, DeepLabV3

from .slim_torch import Program, fill

NETS = Path(__file__).parents[2] / "prototxt"


def parsed(net):
    return read_net("net.prototxt", text=net.deploy())


def shapes(net, size):
    return {name: shape for cost in analyse(parsed(net), size).layers for name, shape in cost.tops.items()}


def test_the_folders_are_the_family():
    for family in ("deeplab_v3", "deeplab_v3plus"):
        ours = [net.backbone for net in FAMILY if net.family == family]
        ours = sorted(ours + [net.name for net in torch_deeplab.FAMILY if net.family == family])
        assert ours == sorted(path.name for path in (NETS / family).iterdir())


@pytest.mark.parametrize("net", FAMILY, ids=lambda net: f"{net.family}/{net.backbone}")
def test_as_generated(net):
    assert (NETS / net.family / net.backbone / "deploy.prototxt").read_text() == net.deploy()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_sizes(backbone, output_stride):
    """Everything is ceil(size / stride), at odd and even sizes."""
    for size in ((97, 129), (96, 2)):
        found = shapes(DeepLabV3(backbone, output_stride, decoder=4, classes=5), size)
        wanted = {
            "image_pool_avg": (1, 1),
            "aspp0": tuple(-(-n // output_stride) for n in size),
            "logits": tuple(-(-n // 4) for n in size),
            "upsampled_logits": size,
        }
        assert {name: found[name][2:] for name in wanted} == wanted
        assert found["logits"][1] == 5


@pytest.mark.parametrize(
    ("backbone", "decoder", "classes", "parameters"),
    [
        ("resnet_v1_50_beta", 0, 21, 39228885),
        pytest.param("resnet_v1_101_beta", 0, 21, 58273237, marks=pytest.mark.slow),
        pytest.param("xception_65", 4, 21, 41258213, marks=pytest.mark.slow),
    ],
)
def test_parameters(backbone, decoder, classes, parameters):
    """As many as the TensorFlow programs have."""
    cost = analyse(parsed(DeepLabV3(backbone, decoder=decoder, classes=classes)))
    divisors = sum(layer.type == "BatchNorm" for layer in cost.layers)  # which TensorFlow does not have
    assert cost.parameters - divisors == parameters


def rates(net, part):
    return {
        layer.name.split(part, 1)[1]: list(layer.param.convolution_param.dilation)
        for layer in parsed(net).layers
        if layer.type == "Convolution" and part in layer.name and layer.param.convolution_param.dilation
    }


@pytest.mark.slow
def test_rates():
    """Of the layers that the paper's tables name."""
    net = DeepLabV3("resnet_v1_50_beta", 8)
    units = {f"unit_{i}/bottleneck_v1/conv2": [rate] for i, rate in ((1, 4), (2, 8), (3, 16))}
    assert rates(net, "block4/") == units
    assert set(map(tuple, rates(net, "block3/").values())) == {(2,)}
    assert rates(net, "block2/") == {}
    assert rates(net, "aspp") == {"1": [12], "2": [24], "3": [36]}
    net = DeepLabV3("xception_65", 16, decoder=4)
    assert rates(net, "middle_flow") == rates(net, "exit_flow/block1") == {}
    assert set(map(tuple, rates(net, "exit_flow/block2").values())) == {(2,)}
    assert rates(net, "aspp") == {"1_depthwise": [6], "2_depthwise": [12], "3_depthwise": [18]}
    assert rates(DeepLabV3("xception_65", 32, (3, 5, 7), (1, 2, 3)), "aspp") == {"1": [3], "2": [5], "3": [7]}
    assert rates(DeepLabV3("mobilenet_v2", 16), "aspp") == {}


CASES = [
    (DeepLabV3("resnet_v1_50_beta", 8, (2, 5, 9), classes=5), (150, 163)),
    (DeepLabV3("resnet_v1_50_beta", 16, (1, 2, 3), (1, 2, 3), 4, classes=5), (130, 127)),
    (DeepLabV3("resnet_v1_50_beta", 32, (1, 2), decoder=4, separable=False, classes=5), (129, 162)),
    (DeepLabV3("xception_41", 8, (3, 6, 12), (1, 2, 4), 4, classes=5), (146, 143)),
    (DeepLabV3("xception_71", 16, (2, 4, 7), decoder=4, classes=5), (128, 161)),
    (DeepLabV3("mobilenet_v2", 32, classes=5), (162, 191)),
    (DeepLabV3("mobilenet_v2", 8, (2, 4), decoder=4, classes=5), (128, 130)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("net", "size"), CASES, ids=lambda value: getattr(value, "backbone", str(value)))
def test_equals_the_rendering(net, size):
    """Rates, strides, multi-grid and paddings, at sizes where a wrong one shows."""
    program = Program(net)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        wanted = program(image)
    precision = "fp32" if net.output_stride == 32 else "exact"
    ours = Net(parsed(net), precision=precision)
    fill(ours, program.variables)
    names = [*list(wanted)[::5], "logits", "upsampled_logits"]
    for name, values in ours.forward(data=image, outputs=names).items():
        error = (values - wanted[name]).abs().max() / wanted[name].abs().max()
        assert error < 2e-5, (name, error)


@pytest.mark.parametrize(
    "options",
    [
        {"backbone": "xception"},
        {"output_stride": 4},
        {"decoder": 8},
        {"rates": (0,)},
        {"multi_grid": (1, 2)},
        {"classes": 0},
        {"size": (513, 10**9)},
        {"backbone": "mobilenet_v2", "multi_grid": (1, 2, 4)},
    ],
)
def test_errors(options):
    with pytest.raises(DeepLabError):
        DeepLabV3(**{"backbone": "xception_65", **options})
