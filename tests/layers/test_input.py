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
