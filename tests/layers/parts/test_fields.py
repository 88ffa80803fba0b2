import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffe_pb2 import ConvolutionParameter, PoolingParameter
from deeplab_caffe.layers.parts.fields import pair


class Named:
    def error(self, field, message):
        return DeepLabError(f"{field}: {message}")


@pytest.mark.parametrize(
    ("param", "field", "wanted"),
    [
        (ConvolutionParameter(kernel_size=[3]), "kernel_size", (3, 3)),
        (ConvolutionParameter(kernel_size=[3, 5]), "kernel_size", (3, 5)),
        (ConvolutionParameter(kernel_h=3, kernel_w=5), "kernel_size", (3, 5)),
        (PoolingParameter(kernel_size=4), "kernel_size", (4, 4)),
        (PoolingParameter(kernel_h=1, kernel_w=2), "kernel_size", (1, 2)),
    ],
)
def test_one_number_or_two(param, field, wanted):
    assert pair(Named(), param, field, least=1) == wanted


def test_a_field_that_is_not_given():
    assert pair(Named(), PoolingParameter(), "stride", least=1, default=1) == (1, 1)
    assert pair(Named(), ConvolutionParameter(pad_h=2), "pad", default=0) == (2, 0)
    assert pair(Named(), ConvolutionParameter(), "dilation", least=1, default=1) == (1, 1)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        (ConvolutionParameter(), "kernel_size: missing"),
        (ConvolutionParameter(kernel_size=[1, 2, 3]), "kernel_size: 3 numbers given, 1 or 2 wanted"),
        (ConvolutionParameter(kernel_size=[3], kernel_h=3), "kernel_size: given together with kernel_h or"),
        (PoolingParameter(kernel_h=3), "kernel_size: kernel_h and kernel_w wanted, only one given"),
        (PoolingParameter(kernel_size=0), "kernel_size: 0 given, at least 1"),
        (PoolingParameter(kernel_size=2**31), "kernel_size: 2147483648 given"),
    ],
)
def test_errors_name_the_field(param, message):
    with pytest.raises(DeepLabError, match=message):
        pair(Named(), param, "kernel_size", least=1)
