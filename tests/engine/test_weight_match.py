import pytest
import torch

from deeplab_caffe.engine.weight_match import LayerShapes, match_weights
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.records import LayerBlobs


def given(name, *shapes):
    return LayerBlobs(name, "Convolution", [torch.ones(shape) for shape in shapes])


def test_by_name_and_position():
    file = [given("data"), given("conv1", (4, 3, 1, 1), (1, 1, 1, 4)), given("fc8", (2, 4))]
    net = [
        LayerShapes("conv1", ((4, 3, 1, 1), (4,))),
        LayerShapes("relu1", ()),
        LayerShapes("fc9", ((2, 4),)),
    ]
    match = match_weights(file, net, "w")
    assert [(c.layer, c.index, tuple(c.values.shape)) for c in match.copies] == [
        ("conv1", 0, (4, 3, 1, 1)),
        ("conv1", 1, (4,)),
    ]
    assert (match.unused, match.missing) == (["fc8"], ["fc9"])


@pytest.mark.parametrize(
    ("file", "net"),
    [
        ((1, 1, 1, 4), (4,)),
        ((4,), (1, 1, 1, 4)),
        ((1, 1, 3, 4), (3, 4)),
        ((1, 1, 1, 1), ()),
        ((1,) * 5, (1,) * 5),
    ],
)
def test_old_blobs_have_ones_on_the_left(file, net):
    match = match_weights([given("a", file)], [LayerShapes("a", (net,))], "w")
    assert tuple(match.copies[0].values.shape) == net


def test_mismatches():
    net = [LayerShapes("fc6", ((8, 4, 3, 3), (8,)))]
    with pytest.raises(DeepLabError, match=r"^w: layer 'fc6': 1 blobs in the file, 2 in the net$"):
        match_weights([given("fc6", (8, 4, 3, 3))], net, "w")
    with pytest.raises(
        DeepLabError, match=r"^w: layer 'fc6', blob 1: shape 1x1x1x9 in the file, 8 in the net$"
    ):
        match_weights([given("fc6", (8, 4, 3, 3), (1, 1, 1, 9))], net, "w")
    for shape in ((8, 1, 1, 1), (1, 8)):
        with pytest.raises(DeepLabError, match="blob 0"):
            match_weights([given("a", shape)], [LayerShapes("a", ((8, 1),))], "w")


def test_strict_dim():
    """DeepLab v1 reads VGG's fully connected fc6 into a convolution of the same count."""
    file = [LayerBlobs("fc6", "InnerProduct", [torch.arange(24.0).reshape(1, 1, 2, 12)])]
    match = match_weights(file, [LayerShapes("fc6", ((2, 3, 2, 2),), strict_dim=False)], "w")
    assert match.copies[0].values.flatten().tolist() == list(range(24))
    with pytest.raises(DeepLabError, match="blob 0"):
        match_weights(file, [LayerShapes("fc6", ((2, 3, 2, 2),))], "w")
    with pytest.raises(DeepLabError, match="blob 0"):
        match_weights(file, [LayerShapes("fc6", ((2, 3, 2, 3),), strict_dim=False)], "w")


def test_shared_parameters():
    net = [
        LayerShapes("a", ((2,), (1,)), shared=("w", "b")),
        LayerShapes("b", ((2,), (1,)), shared=("w", "b")),
        LayerShapes("c", ((2,), (1,)), shared=("w",)),
    ]
    match = match_weights([given("b", (2,), (1,))], net, "w")
    # a gets its values through b; c's bias is its own.
    assert match.missing == ["c"]
    both = match_weights([given("b", (2,), (1,)), given("a", (2,), (1,))], net, "w")
    # In the file's order, so that the last copy counts.
    assert [c.layer for c in both.copies] == ["b", "b", "a", "a"]
