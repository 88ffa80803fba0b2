import numpy as np
import pytest

from deeplab_caffe import Net

NET = (
    'input: "x" input_shape { dim: 1 dim: 2 dim: 3 dim: 4 }\n'
    'layer { name: "a" type: "AbsVal" bottom: "x" top: "a" }\n'
    'layer { name: "d" type: "Dropout" bottom: "a" top: "a" dropout_param { dropout_ratio: 0.5 } }\n'
    'layer { name: "s" type: "Split" bottom: "a" top: "s" top: "t" }\n'
    'layer { name: "p" type: "Power" bottom: "s" top: "p" power_param { scale: 2 } }\n'
    'layer { name: "f" type: "Flatten" bottom: "t" top: "f" }\n'
    'layer { name: "q" type: "Power" bottom: "f" top: "q" power_param { shift: 1 } }\n'
)


def names(net, outputs=None, run="forward"):
    return [node.layer.name for node in net._plans.schedule(outputs, run).nodes]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


def test_what_neither_computes_nor_reshapes_is_left_out(path):
    net, x = Net(path), np.float32(range(-12, 12)).reshape(1, 2, 3, 4)
    assert names(net) == ["a", "p", "f", "q"]
    found = net.forward(x=x)
    assert np.array_equal(found["p"], 2 * abs(x)) and np.array_equal(found["q"], abs(x).reshape(1, -1) + 1)


def test_it_stays_where_somebody_looks(path):
    net, x = Net(path), np.float32(range(-12, 12)).reshape(1, 2, 3, 4)
    assert names(net, ("s", "q")) == ["a", "s", "f", "q"]
    assert np.array_equal(net.forward(outputs=("s", "q"), x=x)["s"], abs(x))
    assert names(net, run="watched") == ["a", "d", "s", "p", "f", "q"]
    assert names(Net(path, keep_blobs=True)) == ["a", "d", "s", "p", "f", "q"]


def test_dropout_that_drops_stays(path):
    assert "d" in names(Net(path, phase="train"))
