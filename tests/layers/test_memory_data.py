import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError

TEXT = """layer { name: "m" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }
layer { name: "p" type: "Power" bottom: "data" top: "out" power_param { scale: 2 } }"""


@pytest.fixture
def make_net(tmp_path):
    def make(text=TEXT):
        (tmp_path / "net.prototxt").write_text(text)
        return Net(tmp_path / "net.prototxt")

    return make


@pytest.fixture
def net(make_net):
    return make_net()


def test_the_caller_gives_the_tops(net):
    assert net.inputs == {"data": (2, 1, 2, 3), "label": (2,)}
    data = torch.rand(2, 1, 2, 3)
    assert torch.equal(net.forward(data=data, label=torch.zeros(2))["out"], 2 * data)
    with pytest.raises(DeepLabError, match="input 'data' is missing"):
        net.forward()


def test_v1_labels_have_four_axes(make_net):
    text = TEXT.replace("layer {", "layers {").replace('"MemoryData"', "MEMORY_DATA")
    assert make_net(text.replace('"Power"', "POWER")).inputs["label"] == (2, 1, 1, 1)


def test_arrays_are_read_batch_by_batch(net):
    data, labels = torch.rand(6, 1, 2, 3), torch.arange(6.0)
    net.layers[0].reset(data, labels.view(6, 1, 1, 1))
    for first in (0, 2, 4, 0, 2):
        result = net.forward()
        assert torch.equal(result["out"], 2 * data[first : first + 2])
        assert result["label"].tolist() == [first, first + 1]
    data[4:6] = 7
    assert (net.forward()["out"] == 14).all()
    other = torch.rand(2, 1, 2, 3)
    assert torch.equal(net.forward(data=other, label=torch.zeros(2))["out"], 2 * other)
    net.layers[0].reset(other, torch.ones(2))
    assert torch.equal(net.forward()["out"], 2 * other)


def test_errors(net, make_net):
    layer = net.layers[0]
    with pytest.raises(DeepLabError, match="3 rows given, a multiple of batch_size 2 wanted"):
        layer.reset(torch.rand(3, 1, 2, 3), torch.rand(3))
    with pytest.raises(DeepLabError, match="data 2x1x3x2 given, Nx1x2x3 wanted"):
        layer.reset(torch.rand(2, 1, 3, 2), torch.rand(2))
    with pytest.raises(DeepLabError, match="3 labels given for 2 rows"):
        layer.reset(torch.rand(2, 1, 2, 3), torch.rand(3))
    with pytest.raises(DeepLabError, match="float32"):
        layer.reset(torch.rand(2, 1, 2, 3).double(), torch.rand(2))
    with pytest.raises(DeepLabError, match="memory_data_param.height: missing"):
        make_net(TEXT.replace("height: 2", ""))
