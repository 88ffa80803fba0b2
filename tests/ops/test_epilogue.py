"""Each op of an epilogue: torch's operators, the scale and shift that stand for it, the kernels' twin."""

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts import fold
from deeplab_caffe.ops.epilogue import BatchNorm, Bias, Clip, ReLU, Scale, Sum
from tests import reference
from tests.values import normal

Y = normal(2, 5, 4, 3)
CHANNEL_OPS = [
    Bias(normal(5, seed=1)),
    Scale(normal(5, seed=2)),
    BatchNorm(normal(5, seed=3), normal(5).abs() + 0.5),
]
OTHERS = [Sum(normal(2, 5, 4, 3, seed=4), 1.5, -0.5, True), ReLU(), ReLU(0.25), Clip(-0.5, 0.5)]


@pytest.mark.parametrize("op", [*CHANNEL_OPS, *OTHERS], ids=lambda op: op.kind)
def test_torch_gives_what_the_kernels_give(op):
    ones = torch.eye(5).view(5, 5, 1, 1)
    kernels = ops.atrous_conv(Y, ones, epilogue=[op])
    assert torch.equal(kernels, reference.atrous_conv(Y, ones, epilogue=[op]))
    torch.testing.assert_close(op.apply_(Y.clone()), kernels)


def test_a_scale_and_a_shift_stand_for_the_ops_of_channels():
    scale, shift = torch.ones(5), torch.zeros(5)
    for op in CHANNEL_OPS:
        scale, shift = op.behind(scale, shift)
    merged = Y * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
    torch.testing.assert_close(fold.apply(Y.clone(), CHANNEL_OPS), merged)


@pytest.mark.parametrize("unknown", [("relu", 0.0), "relu", None])
def test_what_is_unknown_is_an_error(device, unknown):
    w = torch.zeros(8, 5, 1, 1)
    with pytest.raises(DeepLabError, match="an EpilogueOp wanted"):
        ops.atrous_conv(Y, w, epilogue=[unknown])
    with pytest.raises(DeepLabError, match="an EpilogueOp wanted"):
        device(lambda x, w: ops.tensor_core_conv(x, ops.pack_tensor_core(w), epilogue=[unknown]), Y, w)
    with pytest.raises(TypeError):
        reference.atrous_conv(Y, w, epilogue=[unknown])
    with pytest.raises(AttributeError):
        fold.apply(Y.clone(), [unknown])
