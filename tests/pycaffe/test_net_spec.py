import copy

import numpy as np
import pytest
from google.protobuf import text_format

from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.pycaffe import net_spec
from deeplab_caffe.pycaffe.net_spec import NetSpec
from deeplab_caffe.pycaffe.net_spec import layers as L
from deeplab_caffe.pycaffe.net_spec import params as P


def same(net, text):
    expected = text_format.Parse(text, caffe_pb2.NetParameter())
    assert text_format.MessageToString(net) == text_format.MessageToString(expected)


def test_named_blobs():
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [2, 3, 8, 8]}, {"dim": 2}], ntop=2)
    n.conv1 = L.Convolution(
        n.data,
        kernel_size=3,
        num_output=np.int64(4),
        weight_filler={"type": "xavier"},
        param=[{"lr_mult": 0}],
    )
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n["pool"] = L.Pooling(n.relu1, pool=P.Pooling.AVE, global_pooling=True)
    n.loss = L.SoftmaxWithLoss(n["pool"], n.label, loss_weight=0.5, include={"phase": caffe_pb2.TEST})
    n.quiet = L.Silence(n.label, ntop=0)
    same(
        n.to_proto(),
        """
        layer { name: "data" type: "DummyData" top: "data" top: "label"
                dummy_data_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 0 }
                convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
        layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool"
                pooling_param { pool: AVE global_pooling: true } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool" bottom: "label" top: "loss"
                loss_weight: 0.5 include { phase: TEST } }
        layer { name: "quiet" type: "Silence" bottom: "label" }
        """,
    )


def test_names_by_type_and_count():
    data = L.Input(shape={"dim": [1, 1, 4, 4]})
    first = L.ReLU(L.Convolution(data, kernel_size=1, num_output=1), in_place=True)
    second = L.Convolution(first, convolution_param={"num_output": 2, "kernel_size": [1]})
    L.Silence(second, ntop=0)  # not of what is asked for
    same(
        net_spec.to_proto(second, first),
        """
        layer { name: "Input1" type: "Input" top: "Input1" input_param { shape { dim: [1, 1, 4, 4] } } }
        layer { name: "Convolution1" type: "Convolution" bottom: "Input1" top: "Convolution1"
                convolution_param { num_output: 1 kernel_size: 1 } }
        layer { name: "ReLU1" type: "ReLU" bottom: "Convolution1" top: "Convolution1" }
        layer { name: "Convolution2" type: "Convolution" bottom: "Convolution1" top: "Convolution2"
                convolution_param { num_output: 2 kernel_size: 1 } }
        """,
    )
    assert text_format.MessageToString(second.to_proto()) == text_format.MessageToString(
        net_spec.to_proto(second)
    )


def test_python_layers():
    n = NetSpec()
    n.data, n.sem = L.Python(module="voc", layer="Voc", param_str=str({"split": "val"}), ntop=2)
    (layer,) = n.to_proto().layer
    assert (layer.python_param.module, layer.python_param.layer) == ("voc", "Voc")
    assert layer.python_param.param_str == "{'split': 'val'}"
    assert list(layer.top) == ["data", "sem"]


def test_shared_parameters():
    n = NetSpec()
    n.data = L.Input(shape={"dim": [1, 2]})
    shared = [{"name": "w", "lr_mult": 1}, {"name": "b", "lr_mult": 2}]
    n.a = L.InnerProduct(n.data, num_output=2, param=shared)
    n.b = L.InnerProduct(n.data, num_output=2, param=shared)
    net = n.to_proto()
    assert [[p.name for p in layer.param] for layer in net.layer] == [[], ["w", "b"], ["w", "b"]]


def test_the_last_name_counts():
    n = NetSpec()
    n.first = L.Input(shape={"dim": 1})
    n.second = n.first
    assert n.to_proto().layer[0].name == "second"


def test_deeplab_layers():
    n = NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 9, 9]})
    n.fc6 = L.Convolution(n.data, num_output=1, kernel_size=3, dilation=12, pad=12)
    n.up = L.Interp(n.fc6, zoom_factor=8)
    net = n.to_proto()
    assert net.layer[2].interp_param.zoom_factor == 8
    assert list(net.layer[1].convolution_param.dilation) == [12]


@pytest.mark.slow
def test_deep_nets():
    top = L.Input(shape={"dim": 1})
    for _ in range(3000):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 3001


def test_assign_proto():
    message = caffe_pb2.LayerParameter()
    net_spec.assign_proto(message, "bottom", "a")
    net_spec.assign_proto(message, "bottom", ("b", "c"))
    net_spec.assign_proto(message, "loss_weight", np.float32(0.5))
    net_spec.assign_proto(message, "param", [])
    net_spec.assign_proto(message, "transform_param", {"scale": 2, "mean_value": [1, 2]})
    assert list(message.bottom) == ["a", "b", "c"]
    assert list(message.loss_weight) == [0.5]
    assert not message.param
    assert list(message.transform_param.mean_value) == [1, 2]


def test_what_is_no_top():
    tops = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(tops, ntop=0)
    n = NetSpec()
    n.data = tops
    with pytest.raises(TypeError, match="data is neither a blob nor a layer but tuple"):
        n.to_proto()


def test_what_is_not_there():
    n = NetSpec()
    assert not hasattr(n, "data")
    with pytest.raises(KeyError):
        n["data"]
    with pytest.raises(AttributeError, match="kernel"):
        L.ReLU(L.Input(), kernel=3).to_proto()
    with pytest.raises(AttributeError):
        _ = P.Pooling.NONE
    assert copy.copy(n).tops == {}


def test_fields_by_type():
    fields = net_spec.param_name_dict()
    assert (fields["Pooling"], fields["InnerProduct"]) == ("pooling", "inner_product")
