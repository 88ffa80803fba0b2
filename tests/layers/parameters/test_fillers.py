from types import SimpleNamespace

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffe_pb2 import FillerParameter
from deeplab_caffe.layers.parameters.fillers import fill


def drawn(shape, **fields):
    return fill(shape, FillerParameter(**fields), torch.Generator().manual_seed(1))


def test_constant():
    assert drawn((2, 2), value=3).tolist() == [[3, 3], [3, 3]]
    assert fill((2,), None, torch.Generator()).tolist() == [0, 0]
    assert fill((2,), 0.25, torch.Generator()).tolist() == [0.25, 0.25]


def test_uniform_and_gaussian():
    x = drawn((10_000,), type="uniform", min=2, max=4)
    assert x.min() >= 2 and x.max() <= 4 and x.mean().item() == pytest.approx(3, abs=0.05)
    x = drawn((10_000,), type="gaussian", mean=1, std=0.5)
    assert (x.mean().item(), x.std().item()) == (pytest.approx(1, abs=0.05), pytest.approx(0.5, abs=0.05))
    x = drawn((100, 400), type="gaussian", sparse=5)
    assert (x != 0).float().mean().item() == pytest.approx(0.05, abs=0.01)
    assert torch.equal(drawn((5,), type="uniform"), drawn((5,), type="uniform"))


@pytest.mark.parametrize("norm, fan", [("FAN_IN", 36), ("FAN_OUT", 225), ("AVERAGE", 130.5)])
def test_xavier_and_msra(norm, fan):
    shape = (25, 4, 3, 3)
    x = drawn(shape, type="xavier", variance_norm=norm)
    assert x.abs().max().item() == pytest.approx((3 / fan) ** 0.5, rel=0.02)
    assert drawn(shape, type="msra", variance_norm=norm).std().item() == pytest.approx(
        (2 / fan) ** 0.5, rel=0.1
    )


def test_positive_unitball():
    x = drawn((4, 3, 2), type="positive_unitball")
    assert x.min() >= 0
    torch.testing.assert_close(x.sum((1, 2)), torch.ones(4))


def test_bilinear():
    x = drawn((2, 1, 4, 4), type="bilinear")
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(x[1, 0], row[:, None] * row)
    with pytest.raises(DeepLabError, match="bilinear filler wants"):
        drawn((2, 3), type="bilinear")


def test_unknown():
    with pytest.raises(DeepLabError, match="unknown filler 'magic'; known: constant, "):
        fill((1,), SimpleNamespace(type="magic"), torch.Generator())
