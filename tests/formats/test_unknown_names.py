import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.unknown_names import unknown_names

TEXT = """name: "n" # layer { no_such: 1 }
layer { name: "a" type: "ReLU" relu_param { negative_slop: 1 } }
layer {
  name: "b"
  detection_output_param { whatever { deeper: 1 } }
  convolution_param { kernal_size: 3 engine: CUDN
    weight_filler { variance_norm: FAN_ALL } }
}
layer { name: "c" convolution_param { kernal_size: 5 } }
"""


def error(text):
    with pytest.raises(DeepLabError) as caught:
        read_net("net.prototxt", text=text)
    return str(caught.value)


def test_all_at_once():
    assert error(TEXT) == (
        "net.prototxt:2: layer 'a': unknown field 'negative_slop' in ReLUParameter; "
        "did you mean 'negative_slope'?, "
        "unknown field 'detection_output_param' in LayerParameter (line 5) (of SSD), "
        "unknown field 'kernal_size' in ConvolutionParameter (line 6); did you mean 'kernel_size'?, "
        "unknown Engine CUDN (line 6); did you mean CUDNN?, "
        "unknown VarianceNorm FAN_ALL (line 7); known: AVERAGE, FAN_IN, FAN_OUT"
    )


def test_a_solver_given_as_a_net():
    assert "it is a solver's: a net is wanted" in error('net: "train.prototxt"\nbase_lr: 0.1\n')


def test_each_name_once_and_not_too_many():
    text = "layer { " + " ".join(f"unheard_of_{i} {{ }}" for i in range(30)) + " }"
    assert "unheard_of_11" in error(text) and "and 18 more names" in error(text)
    assert len(unknown_names("layer { x: 1 x: 2 }", caffe_pb2.NetParameter(), "net")) == 1


def test_broken_text_is_left_to_the_parser():
    assert unknown_names("layer { x: ", caffe_pb2.NetParameter(), "net") == []
