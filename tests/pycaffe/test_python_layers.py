"""Python layers in caffe.Net, where they see the net's own blobs."""

import sys
import types

import numpy as np
import pytest

import deeplab_caffe.pycaffe as caffe

pytestmark = pytest.mark.usefixtures("place")

LAYER = """layer { name: "%s" type: "Python" %s top: "%s" python_param {
  module: "user_layers" layer: "%s" param_str: "%s" } loss_weight: %d }
"""
INPUT = 'force_backward: true input: "x" input_shape { dim: 2 dim: 3 }\n'


class Euclidean(caffe.Layer):
    """Half the squared length of a difference, with gradients."""

    def setup(self, bottom, top):
        assert len(bottom) == 2 and self.param_str == "half"

    def reshape(self, bottom, top):
        self.difference = np.zeros_like(bottom[0].data)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.difference[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.difference**2) / 2

    def backward(self, top, propagate_down, bottom):
        for i, sign in enumerate([1, -1]):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * self.difference * top[0].diff[0]


class Found(caffe.Layer):
    """As a detector: only forward knows how many there are."""

    def setup(self, bottom, top):
        top[0].reshape(1, 2)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        rows = bottom[0].data[bottom[0].data[:, 0] > 0]
        top[0].reshape(len(rows), 2)
        top[0].data[...] = rows[:, :2]


class Gain(caffe.Layer):
    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 2
        self.gain = self.blobs[0]

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.gain.data[0] * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.gain.diff[0] += (top[0].diff * bottom[0].data).sum()
        bottom[0].diff[...] = self.gain.data[0] * top[0].diff


@pytest.fixture
def make(write, monkeypatch):
    module = types.ModuleType("user_layers")
    module.Euclidean, module.Found, module.Gain = Euclidean, Found, Gain
    monkeypatch.setitem(sys.modules, "user_layers", module)
    return lambda text, phase=caffe.TRAIN: caffe.Net(write(text), phase)


def test_loss_layer(make):
    text = INPUT + 'input: "y" input_shape { dim: 2 dim: 3 }\n'
    net = make(text + LAYER % ("loss", 'bottom: "x" bottom: "y"', "loss", "Euclidean", "half", 3))
    x, y = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    assert net.forward(x=x, y=y)["loss"].tolist() == [((x - y) ** 2).sum() / 2]
    diffs = net.backward()
    np.testing.assert_array_equal(diffs["x"], 3 * (x - y))
    np.testing.assert_array_equal(diffs["y"], 3 * (y - x))


def test_shape_that_forward_decides(make):
    scale = 'layer { name: "two" type: "Power" bottom: "found" top: "two" power_param { scale: 2 } }'
    net = make(INPUT + LAYER % ("found", 'bottom: "x"', "found", "Found", "", 0) + scale)
    for rows in 2, 1:
        x = np.array([[1, 2, 3], [4 if rows == 2 else -4, 5, 6]])
        assert net.forward(x=x)["two"].tolist() == (2 * x[:rows, :2]).tolist()


def test_parameters(make, tmp_path, write):
    text = INPUT + LAYER % ("gain", 'bottom: "x"', "y", "Gain", "", 0)
    net = make(text)
    gain = net.params["gain"][0]
    assert gain is net.layers[1].blobs[0] is net.layer_dict["gain"].blobs[0]
    x = np.ones((2, 3))
    assert (net.forward(x=x)["y"] == 2).all()
    net.save(str(tmp_path / "w.caffemodel"))
    gain.data[0] = 5
    assert (net.forward(x=x)["y"] == 5).all()
    assert (net.backward(y=x)["x"] == 5).all() and gain.diff[0] == 6
    net.copy_from(str(tmp_path / "w.caffemodel"))
    assert gain.data[0] == 2 and (net.forward(x=x)["y"] == 2).all()
    other = make(text)
    other.share_with(net)
    gain.data[0] = 9
    assert (other.forward(x=x)["y"] == 9).all()


def test_trained_by_a_solver(make, write, tmp_path):
    text = 'layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {'
    text += " shape { dim: 2 dim: 3 } data_filler { value: 1 } data_filler { value: 5 } } }\n"
    text += LAYER % ("gain", 'bottom: "x"', "p", "Gain", "", 0)
    text += LAYER % ("loss", 'bottom: "p" bottom: "y"', "loss", "Euclidean", "half", 1)
    solver = f'net: "{write(text)}" base_lr: 0.1 lr_policy: "fixed" max_iter: 20 snapshot_after_train: false'
    solver = caffe.SGDSolver(write(solver, "solver.prototxt"))
    solver.solve()
    assert solver.net.params["gain"][0].data[0] == pytest.approx(5, abs=1e-3)
