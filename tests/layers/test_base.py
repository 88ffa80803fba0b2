import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, Layer, create, known_types, layer_class, register
from tests.layers.layer_text import layer


@pytest.mark.parametrize(("bottoms", "message"), [(0, "0 given, 1 wanted"), (2, "2 given, 1 wanted")])
def test_number_of_bottoms(run_layer, bottoms, message):
    with pytest.raises(DeepLabError, match=rf"net.prototxt:1: layer 'tested' \(AbsVal\): bottom: {message}"):
        run_layer(layer("AbsVal", bottoms=bottoms))


def test_number_of_tops(run_layer):
    with pytest.raises(DeepLabError, match="top: 2 given, 1 wanted"):
        run_layer(layer("AbsVal", 'top: "c"'))


def test_axis(run_layer):
    tested = run_layer(layer("AbsVal")).layer
    assert [tested.axis("axis", value, 4) for value in (0, 3, -1, -4)] == [0, 3, 3, 0]
    for value in (4, -5):
        with pytest.raises(DeepLabError, match=rf"\(AbsVal\): axis: axis {value} given, the blob has 4"):
            tested.axis("axis", value, 4)


def test_loss_weights(run_layer):
    assert run_layer(layer("AbsVal")).layer.loss_weights == [0]
    assert run_layer(layer("AbsVal", "loss_weight: 2")).layer.loss_weights == [2]
    assert run_layer(layer("EuclideanLoss", bottoms=2)).layer.loss_weights == [1]
    with pytest.raises(DeepLabError, match="loss_weight: 2 given for 1 tops"):
        _ = run_layer(layer("AbsVal", "loss_weight: 2 loss_weight: 1")).layer.loss_weights


def test_registry():
    assert layer_class("ReLU").type == "ReLU"
    assert known_types() == sorted(known_types()) and "Convolution" in known_types()
    with pytest.raises(ValueError, match="layer type ReLU is registered twice"):
        register("ReLU")(Layer)
    with pytest.raises(KeyError):
        layer_class("Nothing")


def test_unknown_type():
    definition = read_net("net.prototxt", text=layer("Nothing"), phase="test").layers[-1]
    with pytest.raises(DeepLabError, match=r"unknown layer type Nothing \(line 1\)$"):
        create(definition, Context())


def test_where_layers_run_forward():
    cpu = torch.device("cpu")
    found = {name: Context(device=cpu, precision=name).runs_forward for name in ("exact", "fp32", "bf16")}
    assert found == {"exact": True, "fp32": True, "bf16": False}
