"""V1's CROP and CRF-RNN's Crop find their offsets."""

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net

V1 = """input: "data" input_dim: 1 input_dim: 3 input_dim: 50 input_dim: 60
layers { name: "c1" type: CONVOLUTION bottom: "data" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 100 } }
layers { name: "r" type: RELU bottom: "c1" top: "c1" }
layers { name: "p" type: POOLING bottom: "c1" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layers { name: "c2" type: CONVOLUTION bottom: "p" top: "c2"
  convolution_param { num_output: 4 kernel_size: 7 } }
layers { name: "up" type: DECONVOLUTION bottom: "c2" top: "up"
  convolution_param { num_output: 4 kernel_size: 4 stride: 2 } }
layers { name: "crop" type: CROP bottom: "up" bottom: "data" top: "out" }
"""


def offsets(text):
    return list(read_net("net.prototxt", text=text).layers[-1].param.crop_param.offset)


def test_back_to_the_data():
    # c1[i] is centred at data[i - 99], p[i] at c1[2 i + 0.5], c2[i] at p[i + 3], up[i] at c2[(i - 1.5) / 2].
    # So up[o] is at data[o - 1.5 + 6 + 0.5 - 99]: data[0] is up[94].
    assert offsets(V1) == [94, 94]
    assert offsets(V1.replace("kernel_size: 7", "kernel_h: 5 kernel_w: 7 ")) == [96, 94]
    assert offsets(V1.replace("pad: 100", "pad: 97")) == [91, 91]


def test_only_where_the_file_aligns():
    v2 = 'layer { name: "crop" type: "Crop" bottom: "data" bottom: "data" top: "out" }'
    assert offsets('input: "data"' + v2) == []
    mean_field = 'layer { name: "m" type: "MultiStageMeanfield" }'
    assert offsets('input: "data"' + mean_field + v2) == [0, 0]
    given = v2.replace('top: "out"', 'top: "out" crop_param { offset: 7 }')
    assert offsets('input: "data"' + mean_field + given) == [7]


def test_what_cannot_align():
    for old, new, message in (
        (
            '"up" type: DECONVOLUTION bottom: "c2"',
            '"up" type: RELU bottom: "c2"',
            "0.5 times the first one's",
        ),
        ("pad: 100", "pad: 2", "the offset would be -4"),
        ("kernel_size: 7", "kernel_size: 7 pad_h: 1 pad_w: 0 stride: 1 dilation: 2", None),
        ('bottom: "up" bottom: "data"', 'bottom: "up" bottom: "other"', "come from nothing in common"),
    ):
        if message is None:
            assert len(offsets(V1.replace(old, new))) == 2
            continue
        with pytest.raises(DeepLabError, match=message):
            offsets(V1.replace(old, new))
