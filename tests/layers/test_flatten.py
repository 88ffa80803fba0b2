import pytest
import torch

from deeplab_caffe.errors import DeepLabError


def test_flatten(run_in_net, rand):
    x = rand(2, 3, 4, 5)
    assert run_in_net("Flatten", x)[0].shape == (2, 60)
    (top,) = run_in_net("Flatten", x, rest="flatten_param { axis: 1 end_axis: -2 }")
    assert torch.equal(top, x.view(2, 12, 5))
    assert run_in_net("FLATTEN", x, v1=True)[0].shape == (2, 60, 1, 1)
    with pytest.raises(DeepLabError, match="end_axis: 1 lies before axis 2"):
        run_in_net("Flatten", x, rest="flatten_param { axis: 2 end_axis: 1 }")
