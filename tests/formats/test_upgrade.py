"""Layers of old files in today's layout."""

import pytest
from google.protobuf import text_format

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.upgrade import upgrade


def fail(index, field, message):
    return DeepLabError(f"{index}: {field}: {message}")


def layers(text):
    net = text_format.Parse(text, caffe_pb2.NetParameter())
    before = net.SerializeToString()
    found = upgrade(net, fail)
    assert net.SerializeToString() == before
    return found


def test_v1_multipliers_and_names():
    ((index, layer),) = layers(
        """layers { name: "c" type: CONVOLUTION param: "w" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
        convolution_param { num_output: 4 kernel_size: 3 hole: 2 } }"""
    )
    assert (index, layer.type, list(layer.convolution_param.dilation)) == (0, "Convolution", [2])
    assert [(p.name, p.lr_mult) for p in layer.param] == [("w", 1), ("", 2)]
    assert layer.param[0].decay_mult == 1 and not layer.convolution_param.HasField("hole")


def test_v0_padding_goes_into_the_convolution():
    ((index, layer),) = layers(
        """layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "padded" }
        layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 biasterm: false }
          bottom: "padded" top: "c" }"""
    )
    assert (index, layer.type, list(layer.bottom)) == (1, "Convolution", ["x"])
    param = layer.convolution_param
    assert (list(param.pad), list(param.kernel_size), param.bias_term) == ([2], [3], False)


def test_transformations_of_data_layers_move():
    ((_, layer),) = layers(
        'layer { name: "d" type: "ImageData" image_data_param { source: "l" scale: 0.5 crop_size: 7 } }'
    )
    assert (layer.transform_param.scale, layer.transform_param.crop_size) == (0.5, 7)
    assert not layer.image_data_param.HasField("scale")


@pytest.mark.parametrize(
    "text, message",
    [
        ('layers { name: "a" type: RELU } layer { name: "b" type: "ReLU" }', "0: layer: the file mixes"),
        ('layers { layer { name: "a" type: "new" } }', "0: type: unknown layer type 'new'"),
        (
            'layer { name: "c" type: "Convolution" convolution_param { hole: 2 dilation: 2 } }',
            "0: convolution_param.dilation: given beside hole",
        ),
        (
            'layer { name: "c" type: "Convolution" convolution_param { hole_h: 2 } }',
            "0: convolution_param.hole: give hole, or hole_h and hole_w",
        ),
    ],
)
def test_contradictions(text, message):
    with pytest.raises(DeepLabError, match=message):
        layers(text)
