import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError


def net(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    return Net(path)


def test_dummy_data(tmp_path):
    text = """layer { name: "d" type: "DummyData" top: "a" top: "b" dummy_data_param { %s } }"""
    result = net(tmp_path, text % "shape { dim: 2 dim: 3 } data_filler { value: 7 }").forward()
    assert all(torch.equal(top, torch.full((2, 3), 7.0)) for top in result.values())
    random = net(tmp_path, text % 'num: 1 channels: 2 height: 3 width: 4 data_filler { type: "uniform" }')
    first, second = random.forward()["a"], random.forward()["a"]
    assert first.shape == (1, 2, 3, 4) and not torch.equal(first, second)
    with pytest.raises(DeepLabError, match="must be given equally often"):
        net(tmp_path, text % "num: 1 num: 2 channels: 2")
    with pytest.raises(DeepLabError, match="data_filler: 3 given for 2 tops"):
        net(tmp_path, text % "shape { dim: 1 } data_filler { } data_filler { } data_filler { }")
    with pytest.raises(DeepLabError, match="shape: 0 given for 2 tops"):
        net(tmp_path, text % "")
    with pytest.raises(DeepLabError, match="layer 'd' .*unknown filler 'magic'"):
        net(tmp_path, text % 'shape { dim: 1 } data_filler { type: "magic" }').forward()
