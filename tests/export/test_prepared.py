import pytest

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.export.prepared import prepare, standalone
from deeplab_caffe.formats.prototxt import read_net

NET = """
layer { name: "input" type: "ImageSegData" top: "data" top: "label" top: "data_dim"
  image_data_param { source: "nowhere.txt" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "scores"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "crf" type: "DenseCRF" bottom: "scores" bottom: "data_dim" bottom: "data" top: "crf"
  dense_crf_param { } }
layer { name: "best" type: "ArgMax" bottom: "crf" top: "best" }
"""


def test_data_layers_become_inputs():
    definition, remarks = standalone(read_net("n", text=NET), (9, 11), False)
    assert definition.inputs == {"data": (1, 3, 9, 11)}
    assert remarks == [
        "data: input in place of layer 'input' (ImageSegData)",
        "left out, for they read what else these layers give: crf, best",
    ]
    assert prepare(Net(definition)).outputs == ("scores",)
    written = NET + 'layer { name: "mat" type: "MatWrite" bottom: "scores" }'
    assert "left out, for they write files: mat" in standalone(read_net("n", text=written), None, False)[1]
    cropped = NET.replace("image_data_param", "transform_param { crop_size: 33 } image_data_param")
    assert standalone(read_net("n", text=cropped), None, False)[0].inputs == {"data": (1, 3, 33, 33)}


def test_a_crf_ends_the_net_at_its_scores_if_that_is_wanted():
    text = NET.replace("DenseCRF", "DenseCRF").replace('"data_dim"', '"image_dim"')
    text = text.replace('top: "label" top: "image_dim"', "").replace('type: "ImageSegData"', 'type: "Input"')
    text = text.replace(
        'image_data_param { source: "nowhere.txt" }', "input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } }"
    )
    text = (
        'layer { name: "d" type: "Input" top: "image_dim" '
        "input_param { shape { dim: 1 dim: 1 dim: 1 dim: 2 } } }" + text
    )
    with pytest.raises(DeepLabError, match="layer 'crf' .*--without-crf ends the net at its scores"):
        prepare(Net(read_net("n", text=text)))
    definition, remarks = standalone(read_net("n", text=text), None, True)
    assert remarks == ["left out, with what reads it: crf, best"]
    assert prepare(Net(definition)).outputs == ("scores",)


def test_without_a_crf_there_is_none_to_leave_out(net_of):
    net = net_of('layer { name: "r" type: "ReLU" bottom: "data" top: "y" }')
    with pytest.raises(DeepLabError, match="--without-crf: the net has no DenseCRF"):
        standalone(net.definition, None, True)


def test_the_module_has_the_weights(net_of):
    net = net_of(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "y" '
        "convolution_param { num_output: 2 kernel_size: 1 } }"
    )
    module = prepare(net).module
    assert not module.training
    assert module.c.weight.equal(net.params["c"][0].values())
