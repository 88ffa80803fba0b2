"""Layers of type Python in a Net of this package; in pycaffe's: tests/pycaffe."""

import sys
import types

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts import permission
from deeplab_caffe.layers.python import CaffeLayer

LAYER = """layer { name: "%s" type: "Python" bottom: "%s" top: "%s"
  python_param { module: "user_layers" layer: "%s" param_str: "%s" } }
"""
INPUT = 'input: "x" input_shape { dim: 2 dim: 3 }\n'
X = torch.tensor([[1.0, -2, 3], [4, 5, 6]])


class Times(CaffeLayer):
    """A factor of its own, learned; counts its calls."""

    def setup(self, bottom, top):
        self.calls = ["setup"]
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = float(self.param_str)

    def reshape(self, bottom, top):
        self.calls.append("reshape")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        self.calls.append("forward")
        top[0].data[...] = self.blobs[0].data[0] * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.calls.append(list(propagate_down))
        self.blobs[0].diff[0] += (top[0].diff * bottom[0].data).sum()
        if propagate_down[0]:
            bottom[0].diff[...] = self.blobs[0].data[0] * top[0].diff


class Source(CaffeLayer):
    """A data layer whose every forward gives one row more."""

    def setup(self, bottom, top):
        self.rows = 0

    def reshape(self, bottom, top):
        self.rows += 1
        top[0].reshape(self.rows, 2)

    def forward(self, bottom, top):
        top[0].data[...] = self.rows + 10 * self.phase


class Grows(Times):
    def forward(self, bottom, top):
        top[0].reshape(7)


class Square(CaffeLayer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] **= 2

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] *= 3


@pytest.fixture
def make(tmp_path, monkeypatch):
    module = types.ModuleType("user_layers")
    for found in (Times, Source, Grows, Square):
        setattr(module, found.__name__, found)
    module.Plain = type("Plain", (), {})
    monkeypatch.setitem(sys.modules, "user_layers", module)

    def make(text, allowed=True, **options):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return Net(path, python_layers=allowed, **options)

    return make


def test_forward(make):
    net = make(INPUT + LAYER % ("a", "x", "a", "Times", "3") + LAYER % ("b", "a", "b", "Times", "-2"))
    assert torch.equal(net(X), -6 * X)
    assert net.layers[0].user.calls == ["setup", "reshape", "forward"]
    net.params["a"][0].data = [0.5]
    assert torch.equal(net(X[:1]), -X[:1])
    assert net.layers[0].user.calls[3:] == ["reshape", "forward"]


def test_saves(make, tmp_path):
    text = INPUT + LAYER % ("a", "x", "a", "Times", "3")
    net = make(text)
    net.save(tmp_path / "w.caffemodel")
    assert torch.equal(make(text.replace('"3"', '"8"'), weights=tmp_path / "w.caffemodel")(X), 3 * X)


def test_gradients(make):
    net = make(INPUT + LAYER % ("a", "x", "a", "Times", "3"), phase="train")
    x = X.clone().requires_grad_()
    _, outputs = net.forward_train(x=x)
    outputs["a"].sum().backward()
    assert torch.equal(x.grad, torch.full_like(X, 3))
    assert net.params["a"][0].diff.item() == X.sum()
    assert net.layers[0].user.calls[-1] == [True]


def test_in_place(make):
    net = make(INPUT + LAYER % ("a", "x", "x", "Square", ""), phase="train")
    assert torch.equal(net.forward(x=X)["x"], X**2)
    x = X.clone().requires_grad_()
    net.forward_train(x=x).outputs["x"].backward(torch.ones_like(X))
    assert torch.equal(x.grad, torch.full_like(X, 3))


def test_data_layer_follows_its_data(make):
    text = LAYER.replace('bottom: "%s" ', "") % ("a", "a", "Source", "")
    net = make(text)
    for rows in 1, 2, 3:
        assert torch.equal(net.forward()["a"], torch.full((rows, 2), 10.0 + rows))
    assert make(text, phase="train").forward()["a"][0, 0] == 1


def test_not_allowed(make, monkeypatch):
    text = INPUT + LAYER % ("a", "x", "a", "Times", "3")
    with pytest.raises(DeepLabError, match="layer 'a' .*runs the Python code of user_layers.Times.*--allow"):
        make(text, allowed=False)
    monkeypatch.setattr(permission, "_allowed", False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    permission.allow_python_layers()
    assert torch.equal(make(text, allowed=False)(X), 3 * X)


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (
            "no_such_module",
            "Times",
            "module: no_such_module: No module named 'no_such_module'; its folder belongs in PYTHONPATH",
        ),
        ("", "Times", "module: missing"),
        ("user_layers", "Absent", "layer: user_layers.Absent: no class of this name"),
        ("user_layers", "Plain", "layer: user_layers.Plain: not derived from caffe.Layer"),
    ],
)
def test_no_such_class(make, module, name, message):
    text = INPUT + LAYER.replace("user_layers", module) % ("a", "x", "a", name, "3")
    with pytest.raises(DeepLabError, match=message):
        make(text)


def test_no_caffe(make, tmp_path, monkeypatch):
    (tmp_path / "imports_caffe.py").write_text("import caffe")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "caffe", raising=False)
    with pytest.raises(DeepLabError, match="No module named 'caffe'; deeplab_caffe.pycaffe.install"):
        make(INPUT + LAYER.replace("user_layers", "imports_caffe") % ("a", "x", "a", "Times", "3"))


def test_forward_that_reshapes(make):
    net = make(INPUT + LAYER % ("a", "x", "a", "Grows", "3"))
    with pytest.raises(DeepLabError, match=r"'a' became \(7,\) in forward, \(2, 3\) in reshape"):
        net(X)
