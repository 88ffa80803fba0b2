import pytest

from deeplab_caffe.engine.net import Net
from deeplab_caffe.pycaffe.backward_plan import backward_needs

DATA = 'input: "x" input_shape { dim: 2 dim: 3 } input: "y" input_shape { dim: 2 }\n'
LEARNS = """layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" %s
  inner_product_param { num_output: 3 } }\n"""
PLAIN = 'layer { name: "%s" type: "AbsVal" bottom: "%s" top: "%s" %s }\n'
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "y" top: "loss" }\n'
FIXED = "param { lr_mult: 0 } param { lr_mult: 0 }"


@pytest.fixture
def needs(write):
    def needs(text, force=False):
        layers = Net(write(DATA + text)).layers
        found = backward_needs(layers, force)
        return {layer.name: (need.layer, need.bottoms) for layer, need in zip(layers, found, strict=True)}

    return needs


def test_down_to_the_lowest_layer_that_learns(needs):
    text = PLAIN % ("a", "x", "a", "") + LEARNS % ("b", "a", "b", "") + LEARNS % ("c", "b", "c", FIXED)
    assert needs(text + LOSS % "c") == {
        "a": (False, [False]),
        "b": (True, [False]),
        "c": (True, [True]),
        "loss": (True, [True, False]),
    }


def test_only_under_a_loss(needs):
    text = LEARNS % ("a", "x", "a", "") + LEARNS % ("b", "x", "b", "") + PLAIN % ("c", "b", "c", "")
    found = needs(text + LOSS % "a")
    assert found["a"][0] and found["b"] == (False, [False]) and found["c"] == (False, [False])


def test_propagate_down(needs):
    text = LEARNS % ("a", "x", "a", "") + LEARNS % ("b", "a", "b", "propagate_down: false")
    found = needs(text + LOSS % "b")
    assert found["b"] == (True, [False]) and found["a"] == (False, [False])


def test_force_backward(needs):
    text = PLAIN % ("a", "x", "a", "") + LEARNS % ("b", "a", "b", FIXED) + LOSS % "b"
    found = needs(text, force=True)
    assert found == {"a": (True, [True]), "b": (True, [True]), "loss": (True, [True, False])}
