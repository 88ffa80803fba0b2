from deeplab_caffe.formats.net_definition import ParamSpec
from deeplab_caffe.formats.prototxt import read_net

NET = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" param { name: "w" lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 3 kernel_size: 1 } }"""


def test_what_a_layer_says():
    (layer,) = read_net("net.prototxt", text=NET).layers
    assert (layer.name, layer.type, layer.bottoms, layer.tops) == ("conv", "Convolution", ("x",), ("y",))
    assert layer.params == (ParamSpec("w", 2, 0),)
    assert layer.param.convolution_param.num_output == 3


def test_errors_name_file_line_layer_and_field():
    (layer,) = read_net("net.prototxt", text=NET).layers
    error = layer.error("num_output", "too few")
    assert str(error) == "net.prototxt:2: layer 'conv' (Convolution): num_output: too few"
