"""Input, MemoryData and DummyData."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError


def net(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    return Net(path)


def test_input(tmp_path):
    one = 'layer { name: "i" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } %s } }'
    assert net(tmp_path, one % "").inputs == {"a": (2, 3), "b": (2, 3)}
    both = net(tmp_path, one % "shape { dim: 1 }")
    assert both.inputs == {"a": (2, 3), "b": (1,)}
    a, b = torch.ones(4, 3), torch.ones(5)
    result = both.forward(a=a, b=b)
    assert torch.equal(result["a"], a) and torch.equal(result["b"], b)
    with pytest.raises(DeepLabError, match="shape: 3 given for 2 tops"):
        net(tmp_path, one % "shape { dim: 1 } shape { dim: 1 }")


def test_memory_data(tmp_path):
    text = """layer { name: "m" type: "MemoryData" top: "data" top: "label"
      memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }"""
    assert net(tmp_path, text).inputs == {"data": (2, 3, 4, 5), "label": (2,)}
    text = text.replace("layer {", "layers {").replace('"MemoryData"', "MEMORY_DATA")
    assert net(tmp_path, text).inputs == {"data": (2, 3, 4, 5), "label": (2, 1, 1, 1)}


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
