"""The nets that ship, exported: how long their sources are, and what they compute."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.export.check import compare, make_cases
from deeplab_caffe.export.prepared import prepare

pytestmark = pytest.mark.slow

LINES = {
    "deeplab_v1/largefov": 70,
    "deeplab_v1/msc_largefov": 95,
    "deeplab_v2/vgg16_aspp": 85,
    "deeplab_v2/resnet101_aspp_msc": 140,
    "deeplab_v3/resnet_v1_50_beta": 165,
    "deeplab_v3/torchvision_resnet50": 160,
    "deeplab_v3/torchvision_mobilenet_v3_large": 230,
    "deeplab_v3plus/xception_65": 235,
}


@pytest.mark.parametrize("name", LINES)
def test_the_source_is_short_and_computes_the_same(name):
    net = Net(name, variables={"NUM_LABELS": "21", "EXP": "voc12"})
    random_weights(net)
    net.reshape(data=(1, 3, 65, 97))
    prepared = prepare(net)
    assert prepared.source.count("\n") <= LINES[name]
    for case in make_cases(net, prepared.program.input_names, prepared.outputs):
        with torch.no_grad():
            given = prepared.module(*case.inputs.values())
        (result,) = compare("torch", case, [given])
        assert result.passed, result
