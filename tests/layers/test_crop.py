import pytest
import torch

from deeplab_caffe.errors import DeepLabError

PRECISIONS = pytest.mark.parametrize("precision", ["exact", "fp32"])


@PRECISIONS
def test_crop(run_in_net, rand, precision):
    x, like = rand(2, 3, 8, 9), rand(2, 5, 4, 3)
    assert torch.equal(run_in_net("Crop", x, like, precision=precision)[0], x[:, :, :4, :3])
    rest = "crop_param { offset: 1 offset: 6 }"
    assert torch.equal(run_in_net("Crop", x, like, rest=rest, precision=precision)[0], x[:, :, 1:5, 6:9])
    rest = "crop_param { axis: -1 offset: 2 }"
    assert torch.equal(run_in_net("Crop", x, like, rest=rest, precision=precision)[0], x[..., 2:5])


@pytest.mark.parametrize(
    "rest, message",
    [
        ("crop_param { offset: 5 }", r"axis 2: 5 \+ 4 is more than 8"),
        ("crop_param { axis: 1 }", r"axis 1: 0 \+ 5 is more than 3"),
        ("crop_param { offset: 1 offset: 1 offset: 1 }", "3 given, 1 or 2 wanted"),
    ],
)
def test_wrong_crops(run_in_net, rand, rest, message):
    with pytest.raises(DeepLabError, match=message):
        run_in_net("Crop", rand(2, 3, 8, 9), rand(2, 5, 4, 3), rest=rest)
