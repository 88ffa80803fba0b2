import torch
from torch import nn

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.torch_names import entries, module_names, state_dict
from deeplab_caffe.formats.prototxt import read_net

NET = """
input: "data" input_shape { dim: 1 dim: 2 dim: 5 dim: 5 }
layer { name: "conv1/3x3_s2" type: "Convolution" bottom: "data" top: "a"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } param { name: "w" } }
layer { name: "1x1" type: "Convolution" bottom: "a" top: "b" param { name: "v" }
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "1.1" type: "Convolution" bottom: "b" top: "c" param { name: "v" }
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "bn/scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "type" type: "PReLU" bottom: "c" top: "c" prelu_param { channel_shared: true } }
layer { name: "fc" type: "InnerProduct" bottom: "c" top: "d"
  inner_product_param { num_output: 6 transpose: true weight_filler { type: "xavier" } } }
"""


def make_net():
    return Net(read_net("net.prototxt", text=NET))


def test_names_are_identifiers_and_differ():
    names = module_names(make_net().layers)
    assert names == {
        "conv1/3x3_s2": "conv1_3x3_s2",
        "1x1": "_1x1",
        "1.1": "_1_1",
        "bn": "bn",
        "bn/scale": "bn_scale",
        "type": "type_",
        "fc": "fc",
    }


def test_a_name_that_is_taken_gets_an_underscore():
    text = NET.replace('name: "1x1"', 'name: "bn.scale"')
    names = module_names(Net(read_net("net.prototxt", text=text)).layers)
    assert (names["bn.scale"], names["bn/scale"]) == ("bn_scale", "bn_scale_")


def test_entries_have_torch_names_and_shapes():
    assert {entry.name: entry.shape for entry in entries(make_net().layers)} == {
        "conv1_3x3_s2.weight": (4, 2, 3, 3),
        "conv1_3x3_s2.bias": (4,),
        "_1x1.weight": (4, 4, 1, 1),  # shared, so it is there once
        "_1x1.bias": (4,),
        "_1_1.bias": (4,),
        "bn.running_mean": (4,),
        "bn.running_var": (4,),
        "bn_scale.weight": (4,),
        "bn_scale.bias": (4,),
        "type_.weight": (1,),
        "fc.weight": (6, 36),
        "fc.bias": (6,),
    }


def test_statistics_are_divided():
    net = make_net()
    stored = torch.arange(4.0), torch.ones(4), torch.tensor([4.0])
    for blob, value in zip(net.params["bn"], stored, strict=True):
        blob.data = value
    values = state_dict(net.layers)
    assert values["bn.running_mean"].tolist() == [0, 0.25, 0.5, 0.75]
    assert values["bn.running_var"].tolist() == [0.25] * 4
    net.params["bn"][2].data = torch.zeros(1)
    assert state_dict(net.layers)["bn.running_mean"].tolist() == [0] * 4


def test_values_go_back_with_the_same_bits():
    net = make_net()
    net.params["bn"][2].data = torch.ones(1)
    values = state_dict(net.layers)
    for entry in entries(net.layers):
        blob = entry.layer.blobs[entry.index]
        assert torch.equal(entry.to_caffe(values[entry.name]), blob.values())


def test_torch_modules_take_them():
    values = state_dict(make_net().layers)
    for name, module in (
        ("conv1_3x3_s2", nn.Conv2d(2, 4, 3)),
        ("bn", nn.BatchNorm2d(4, affine=False)),
        ("type_", nn.PReLU()),
        ("fc", nn.Linear(36, 6)),
    ):
        own = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        module.load_state_dict(own)


def test_old_files_have_four_axes():
    text = """input: "data" input_dim: 1 input_dim: 2 input_dim: 5 input_dim: 5
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "a"
  convolution_param { num_output: 3 kernel_size: 1 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "a" top: "b" inner_product_param { num_output: 6 } }"""
    found = {entry.name: entry.shape for entry in entries(Net(read_net("net.prototxt", text=text)).layers)}
    assert found == {
        "conv.weight": (3, 2, 1, 1),
        "conv.bias": (3,),
        "fc.weight": (6, 75),
        "fc.bias": (6,),
    }


def test_a_scale_by_a_blob_has_a_bias_only():
    text = (
        NET
        + """layer { name: "gate" type: "Scale" bottom: "c" bottom: "b" top: "g"
      scale_param { axis: 0 bias_term: true } }"""
    )
    names = [entry.name for entry in entries(Net(read_net("net.prototxt", text=text)).layers)]
    assert names[-1] == "gate.bias"
