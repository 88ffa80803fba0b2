"""Which dialect V1 text is in, by the fields that only one of the programs has."""

import warnings

import pytest

from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.formats.prototxt import read_net

LOSS = "layers { name: 'loss' type: EUCLIDEAN_LOSS bottom: 'a' bottom: 'b' top: 'loss' }"


@pytest.mark.parametrize(
    "text",
    [
        "layers { name: 's' type: SOFTMAX_LOSS loss_param { normalize: false } }",
        "layers { name: 'd' type: DECONVOLUTION convolution_param { num_output: 1 kernel_size: 2 } }",
        "layers { name: 'p' type: POOLING pooling_param { kernel_size: 2 ceil_mode: false } }",
        "layers { name: 'c' type: CROP }",
        "layers { name: 'c' type: CONVOLUTION convolution_param { dilation: 2 } }",
    ],
)
def test_bvlc(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = read_net("net.prototxt", text=text + LOSS)
    assert net.dialect.value == "v2" and "BVLC" in net.dialect_reason
    assert not net.layers[-1].dialect.euclidean_over_count


@pytest.mark.parametrize(
    "text",
    [
        "layers { name: 'c' type: CONVOLUTION convolution_param { num_output: 1 kernel_size: 1 hole: 2 } }",
        "layers { name: 'd' type: IMAGE_SEG_DATA }",
        "layers { name: 's' type: SOFTMAX_LOSS softmaxloss_param { ignore_label: 255 } }",
        "layers { name: 'd' type: IMAGE_DATA image_data_param { label_type: PIXEL } }",
    ],
)
def test_deeplab(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = read_net("net.prototxt", text=text + LOSS)
    assert net.dialect.value == "v1" and "DeepLab v1" in net.dialect_reason


def test_doubt_is_told_and_can_be_settled():
    with pytest.warns(DeepLabWarning, match=r"net.prototxt: V1 text without a sign.*layer loss.*--dialect"):
        net = read_net("net.prototxt", text=LOSS)
    assert net.dialect.value == "v1"
    with pytest.warns(DeepLabWarning, match="hole.*DECONVOLUTION.*layer loss"):
        read_net(
            "net.prototxt",
            text="layers { name: 'c' type: CONVOLUTION convolution_param { hole: 2 } }"
            "layers { name: 'd' type: DECONVOLUTION }" + LOSS,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dialect in ("v1", "v2"):
            net = read_net("net.prototxt", text=LOSS, dialect=dialect)
            assert net.dialect.value == dialect and net.layers[0].dialect.value == dialect
        # Nothing in it differs, so nobody is asked.
        read_net("net.prototxt", text="layers { name: 'r' type: RELU }")
        read_net("net.prototxt", text="layer { name: 'l' type: 'EuclideanLoss' }")
    with pytest.raises(DeepLabError, match="dialect v3: v1 .* or v2"):
        read_net("net.prototxt", text=LOSS, dialect="v3")


def test_arg_max_without_an_axis_is_doubtful():
    with pytest.warns(DeepLabWarning, match="layer m"):
        read_net("net.prototxt", text="layers { name: 'm' type: ARGMAX bottom: 'a' top: 'm' }")
