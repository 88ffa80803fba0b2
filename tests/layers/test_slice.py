import pytest
import torch

from deeplab_caffe.errors import DeepLabError

PRECISIONS = pytest.mark.parametrize("precision", ["exact", "fp32"])


@PRECISIONS
def test_slice(run_in_net, rand, precision):
    x = rand(2, 6, 4)
    for top, part in zip(run_in_net("Slice", x, tops=3, precision=precision), x.split(2, 1), strict=True):
        assert torch.equal(top, part)
    rest = "slice_param { axis: -1 slice_point: 1 slice_point: 3 }"
    for top, part in zip(
        run_in_net("Slice", x, rest=rest, tops=3, precision=precision), x.split([1, 2, 1], 2), strict=True
    ):
        assert torch.equal(top, part)
    assert torch.equal(
        run_in_net("SLICE", x.view(2, 6, 4, 1), rest="slice_param { slice_dim: 0 }", tops=2, v1=True)[1],
        x.view(2, 6, 4, 1)[1:],
    )


@pytest.mark.parametrize(
    "rest, message",
    [
        ("", "6 along axis 1 cannot be cut into 4 equal parts"),
        ("slice_param { slice_point: 2 }", "1 points given for 4 tops"),
        ("slice_param { slice_point: 2 slice_point: 2 slice_point: 3 }", "must rise, between 0 and 6"),
        ("slice_param { slice_point: 2 slice_point: 3 slice_point: 7 }", "must rise, between 0 and 6"),
    ],
)
def test_wrong_slices(run_in_net, rand, rest, message):
    with pytest.raises(DeepLabError, match=message):
        run_in_net("Slice", rand(2, 6), rest=rest, tops=4)


def test_an_empty_last_part(run_in_net, rand):
    x = rand(2, 3, 4, 5)
    first, last = run_in_net("Slice", x, rest="slice_param { slice_point: 3 }", tops=2)
    assert torch.equal(first, x) and last.shape == (2, 0, 4, 5)
    with pytest.raises(DeepLabError, match="must rise"):
        run_in_net("Slice", x, rest="slice_param { slice_point: 4 }", tops=2)
