import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError


def test_softmax(run_layer, rand):
    x = rand(2, 5, 6, 7)
    text = 'layer {{ name: "s" type: "Softmax" bottom: "a" top: "b" softmax_param {{ axis: {} }} }}'
    for axis in (1, -1, 0):
        run = run_layer(text.format(axis))
        (top,) = run(x)
        assert torch.equal(top, ops.softmax(x, axis))
        torch.testing.assert_close(run.layer.forward_fast([x])[0], top)
    with pytest.raises(DeepLabError, match="axis 4"):
        run_layer(text.format(4))(x)
