import pytest
import torch

from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize(
    "param, shape",
    [
        ("shape { dim: 0 dim: -1 }", (2, 60)),
        ("shape { dim: -1 dim: 2 } axis: 1 num_axes: 2", (2, 6, 2, 5)),
        ("shape { dim: 1 } axis: -1 num_axes: 0", (2, 3, 4, 5, 1)),
        ("shape { dim: 120 }", (120,)),
    ],
)
def test_reshape(run_in_net, rand, param, shape):
    x = rand(2, 3, 4, 5)
    (top,) = run_in_net("Reshape", x, rest=f"reshape_param {{ {param} }}")
    assert torch.equal(top, x.view(shape))


@pytest.mark.parametrize(
    "param, message",
    [
        ("shape { dim: 7 }", r"120 values do not fit \(7,\)"),
        ("shape { dim: 3 dim: 0 dim: -1 dim: 7 }", "120 values do not fit"),
        ("shape { dim: -1 dim: -1 }", "only one dim may be -1"),
        ("shape { dim: -2 }", "dim 0 is -2"),
        ("shape { dim: 0 } axis: 4", "the blob has no axis 4 to copy"),
        ("shape { dim: 1 } axis: 5", "axes 5 to"),
    ],
)
def test_wrong_reshapes(run_in_net, rand, param, message):
    with pytest.raises(DeepLabError, match=message):
        run_in_net("Reshape", rand(2, 3, 4, 5), rest=f"reshape_param {{ {param} }}")
