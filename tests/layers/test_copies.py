"""Layers that only move values: Split, Silence, Dropout, Concat, Slice, Flatten, Reshape, Crop."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError

PRECISIONS = pytest.mark.parametrize("precision", ["exact", "fp32"])


def test_split(run_in_net, rand):
    x = rand(2, 3, 4)
    assert all(torch.equal(top, x) for top in run_in_net("Split", x, tops=3))


def test_dropout_copies_at_test_and_keeps_the_mean_at_train(run_in_net):
    x = torch.ones(100, 100)
    rest = "dropout_param { dropout_ratio: 0.25 }"
    assert torch.equal(run_in_net("Dropout", x, rest=rest)[0], x)
    (top,) = run_in_net("Dropout", x, rest=rest, phase="train")
    assert top.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert top.mean().item() == pytest.approx(1, abs=0.05)
    with pytest.raises(DeepLabError, match="dropout_ratio: 1 given"):
        run_in_net("Dropout", x, rest="dropout_param { dropout_ratio: 1 }")


@PRECISIONS
@pytest.mark.parametrize(
    "axis, rest", [(1, ""), (0, "concat_param { concat_dim: 0 }"), (3, "concat_param { axis: -1 }")]
)
def test_concat(run_in_net, rand, axis, rest, precision):
    shapes = [[2, 3, 4, 5] for _ in range(3)]
    shapes[1][axis] = 1
    parts = [rand(*shape) for shape in shapes]
    assert torch.equal(
        run_in_net("Concat", *parts, rest=rest, precision=precision)[0], torch.cat(parts, axis)
    )


def test_concat_of_one_and_of_misfits(run_in_net, rand):
    x = rand(2, 3)
    assert torch.equal(run_in_net("Concat", x)[0], x)
    with pytest.raises(DeepLabError, match="except along axis 1"):
        run_in_net("Concat", x, rand(3, 3))
    with pytest.raises(DeepLabError, match="axis: axis 2 given, the blob has 2"):
        run_in_net("Concat", x, x, rest="concat_param { axis: 2 }")


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


def test_flatten(run_in_net, rand):
    x = rand(2, 3, 4, 5)
    assert run_in_net("Flatten", x)[0].shape == (2, 60)
    (top,) = run_in_net("Flatten", x, rest="flatten_param { axis: 1 end_axis: -2 }")
    assert torch.equal(top, x.view(2, 12, 5))
    assert run_in_net("FLATTEN", x, v1=True)[0].shape == (2, 60, 1, 1)
    with pytest.raises(DeepLabError, match="end_axis: 1 lies before axis 2"):
        run_in_net("Flatten", x, rest="flatten_param { axis: 2 end_axis: 1 }")


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
