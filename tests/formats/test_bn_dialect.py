import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.bn_dialect import is_segnet
from deeplab_caffe.formats.prototxt import read_net


def dialects(*params):
    texts = (f"layer {{ name: 'l' type: 'BN' bn_param {{ {param} }} }}" for param in params)
    return [is_segnet(layer.param.bn_param) for layer in read_net("net", text="\n".join(texts)).layers]


def test_by_the_layers_own_fields():
    assert dialects("bn_mode: INFERENCE", "shift_filler { value: 0.1 }") == [True, True]
    assert dialects("momentum: 0.95", "slope_filler { value: 1 }", "frozen: true") == [False] * 3


def test_a_layer_without_a_sign_is_as_the_others():
    assert dialects("", "scale_filler { value: 1 }") == [True, True]
    assert dialects("", "slope_filler { value: 1 }") == [False, False]
    assert dialects("", "") == [False, False]


def test_both_in_one_layer():
    with pytest.raises(DeepLabError, match="bn_mode, eps together"):
        dialects("bn_mode: LEARN eps: 0.1")
