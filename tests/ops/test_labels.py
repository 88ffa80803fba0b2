import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference
from tests.reference.labels import label_sums


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 21, 33, 41), 1), ((3, 10), 1), ((2, 3, 4, 5), -1), ((7,), 0)]
)
def test_softmax(shape, axis, threads):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 5
    y = ops.softmax(x, axis, threads=threads)
    torch.testing.assert_close(y.double(), reference.softmax(x.double(), axis), rtol=1e-6, atol=1e-12)
    # The same steps from our own exponential: to the last bit.
    e = ops.exp(x - x.amax(axis, keepdim=True))
    total = torch.zeros_like(e.select(axis, 0))
    for one in e.unbind(axis):
        total = total + one
    assert torch.equal(y, e / total.unsqueeze(axis))
    assert torch.equal(ops.softmax(x, axis, out=x), y)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "shape",
    [(2, 11, 20011), (1, 21, 16384), (1, 21, 16385), (1, 4, 77), (3, 60, 4111), (1, 7, 30000), (2, 64, 8)],
)
def test_softmax_of_large_maps_adds_in_groups(shape, threads):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 5
    e = ops.exp(x - x.amax(1, keepdim=True))
    y = e / label_sums(e).unsqueeze(1)
    assert torch.equal(ops.softmax(x, threads=threads), y)


def test_order_of_label_sums():
    # 2**24 swallows single ones, so the sum tells in which order they were added.
    big = 2.0**24
    column = torch.tensor([big, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0])
    plain, grouped, apart = big, big + 2, big + 4
    sums = label_sums(column[None, :, None].repeat(1, 1, 16389))[0]
    assert sums[:16384].unique().tolist() == [grouped]
    assert sums[16384:16388].unique().tolist() == [apart] and sums[16388] == plain
    assert label_sums(column[None, :, None])[0, 0] == plain


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("top_k", [1, 2, 5])
@pytest.mark.parametrize(("shape", "axis"), [((2, 5, 33, 41), 1), ((3, 5), 1), ((2, 3, 4, 6), 3)])
def test_argmax(shape, axis, top_k, threads):
    x = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(2)).float()  # many ties
    labels, values = ops.argmax(x, axis, top_k, threads=threads)
    wanted_labels, wanted_values = reference.argmax(x, axis, top_k)
    assert torch.equal(labels, wanted_labels) and torch.equal(values, wanted_values)


def test_argmax_ties_go_to_the_highest_index():
    labels, values = ops.argmax(torch.tensor([[1.0, 3.0, 3.0, 2.0]]), 1, 3)
    assert labels.tolist() == [[2, 1, 3]] and values.tolist() == [[3, 3, 2]]


def test_softmax_loss():
    p = ops.softmax(torch.randn(2, 4, 6, 7) * 30)
    label = torch.randint(0, 4, (2, 1, 6, 7)).float()
    label[0, 0, 0, :3] = 255
    weight = torch.tensor([1.0, 0.5, 2.0, 0.0])
    for w in (None, weight):
        loss, total, count = ops.softmax_loss(p, label, w, (255,))
        wanted = reference.softmax_loss(p.double(), label, w, (255,))
        assert count == wanted[2] == 81
        assert (loss, total) == pytest.approx(wanted[:2], rel=1e-5)


@pytest.mark.parametrize("label", [4.0, -1.0, float("nan"), 1e20])
def test_softmax_loss_wrong_label(label):
    with pytest.raises(DeepLabError, match="0 to 3 wanted"):
        ops.softmax_loss(torch.full((1, 4, 1, 1), 0.25), torch.tensor([label]))


def test_wrong_arguments():
    with pytest.raises(DeepLabError, match="no axis 2"):
        ops.softmax(torch.zeros(2, 2), 2)
    with pytest.raises(DeepLabError, match="top_k 4"):
        ops.argmax(torch.zeros(2, 3), 1, 4)
