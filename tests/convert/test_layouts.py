import pytest

from deeplab_caffe.convert.layouts import TENSORFLOW, TORCH, Rule
from deeplab_caffe.errors import DeepLabError


def test_shape_of_a_variable():
    assert Rule("w").variable_shape((4, 3, 2, 1)) == (4, 3, 2, 1)
    # TensorFlow's (height, width, in, out) of Caffe's (out, in, height, width).
    (weights, _) = TENSORFLOW.rules("a/conv", "Convolution", False)
    assert weights.variable_shape((8, 3, 5, 7)) == (5, 7, 3, 8)
    (weights, _) = TENSORFLOW.rules("a/conv", "Convolution", True)
    assert weights.variable_shape((8, 1, 5, 7)) == (5, 7, 8, 1)


@pytest.mark.parametrize(
    ("layout", "kind", "layer", "names"),
    [
        (TENSORFLOW, "Convolution", "s", ["s/weights", "s/biases"]),
        (TENSORFLOW, "BatchNorm", "s", ["s/moving_mean", "s/moving_variance", ""]),
        (TENSORFLOW, "Scale", "s/scale", ["s/gamma", "s/beta"]),
        (TORCH, "Convolution", "m", ["m.weight", "m.bias"]),
        (TORCH, "BatchNorm", "m", ["m.running_mean", "m.running_var", ""]),
        (TORCH, "Scale", "m/scale", ["m.weight", "m.bias"]),
    ],
)
def test_names(layout, kind, layer, names):
    assert [rule.variable for rule in layout.rules(layer, kind, False)] == names


@pytest.mark.parametrize("layout", [TENSORFLOW, TORCH])
def test_a_layer_without_a_rule(layout):
    for layer, kind in (("s", "Scale"), ("s/scale", "InnerProduct")):
        with pytest.raises(DeepLabError, match="no rule says where its parameters come from"):
            layout.rules(layer, kind, False)


def test_what_only_training_needs():
    names = ["s/weights", "s/weights/Momentum"]
    assert [name for name in [*names, "global_step"] if TENSORFLOW.training(name, names)] == [
        "s/weights/Momentum",
        "global_step",
    ]
    assert TORCH.training("bn.num_batches_tracked", []) and TORCH.training("aux_classifier.0.weight", [])
    assert not TORCH.training("bn.weight", [])
