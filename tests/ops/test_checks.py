import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.checks import around_axis, check, output, refuse_gradient


def test_check():
    x = torch.arange(6.0).view(2, 3)
    assert check("op", x, dims=2, count=6, like=x) is x
    assert check("op", x.t()).is_contiguous() and torch.equal(check("op", x.t()), x.t())
    for wrong, message in (
        (lambda: check("op", x.double()), "op: torch.float64 given, float32 wanted"),
        (lambda: check("op", x, dims=4), "op: 2 dimensions given, 4 wanted"),
        (lambda: check("op", x, count=7), "op: 6 values given, 7 wanted"),
        (lambda: check("op", x.to("meta"), like=x), "op: on meta, cpu wanted"),
    ):
        with pytest.raises(DeepLabError, match=message):
            wrong()


def test_no_result_lacks_its_gradient_silently():
    x, weights = torch.ones(1, 2, 3, 3), torch.ones(2, 2, 1, 1)
    for convolve in (
        lambda: ops.atrous_conv(x.requires_grad_(), weights),
        lambda: ops.atrous_conv(x.detach(), weights.requires_grad_()),
        lambda: ops.pack_tensor_core(weights),
        lambda: refuse_gradient("op", x),
    ):
        with pytest.raises(DeepLabError, match="a tensor wants a gradient, which this op has not"):
            convolve()
        with torch.no_grad():
            convolve()


def test_output():
    x = torch.zeros(2, 3)
    assert output("op", x, (2, 3), x) is x
    assert output("op", None, (4,), x).shape == (4,)
    for wrong in (x.t(), x.double(), torch.zeros(3, 2).t()):
        with pytest.raises(DeepLabError, match=r"op: out is .*, contiguous float32 \(2, 3\) wanted"):
            output("op", wrong, (2, 3), x)
    with pytest.raises(DeepLabError, match="op: out is on meta, cpu wanted"):
        output("op", x.to("meta"), (2, 3), x)


def test_around_axis():
    x = torch.zeros(2, 3, 5, 7)
    assert [around_axis("op", x, axis) for axis in (0, 1, -1)] == [(1, 2, 105), (2, 3, 35), (30, 7, 1)]
    for axis in (4, -5):
        with pytest.raises(DeepLabError, match=f"op: no axis {axis} in 4 dimensions"):
            around_axis("op", x, axis)
