import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.generate.deeplab_v2 import DeepLabV2


def test_writes_both_files(tmp_path, succeeds):
    succeeds("generate", "v2", "--backbone", "vgg16", "--rates", "2,4,8", "-o", tmp_path / "net")
    net = read_net(tmp_path / "net/deploy.prototxt", {"EXP": "voc12", "NUM_LABELS": 5})
    rates = [list(x.param.convolution_param.dilation) for x in net.layers if x.name.startswith("fc6_")]
    assert rates == [[2], [4], [8]]
    assert (tmp_path / "net/test.prototxt").exists()


def test_errors(tmp_path, fails):
    assert "resnet50" in fails("generate", "v2", "--backbone", "resnet50", "-o", tmp_path)
    assert "several scales" in fails("generate", "v2", "--backbone", "vgg16", "--multi-scale", "-o", tmp_path)
    assert "--rates 1,x" in fails("generate", "v2", "--rates", "1,x", "-o", tmp_path)
    assert not list(tmp_path.iterdir())


def test_rates_fit_the_head():
    for head, rates in (("aspp", (6,)), ("largefov", (6, 12)), ("largefov", (0,))):
        with pytest.raises(DeepLabError, match="rates"):
            DeepLabV2("vgg16", head, rates)
