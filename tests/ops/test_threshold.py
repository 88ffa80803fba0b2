import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.threshold import threshold


def twin(x, limit):
    return (x > limit).float()


def values(count):
    x = torch.randn(count, generator=torch.Generator().manual_seed(count))
    x[: min(count, 4)] = torch.tensor([0.5, float("nan"), -0.0, float("inf")])[:count]
    return x


@pytest.mark.parametrize("count", [0, 1, 3, 257, 40000])
def test_equals_the_twin(count):
    x = values(count)
    assert torch.equal(threshold(x, 0.5, threads=1), twin(x, 0.5))
    assert torch.equal(threshold(x, 0.5, threads=2, out=x.clone()), twin(x, 0.5))


@pytest.mark.parametrize("count", [0, 1, 257, 1000])
def test_device(device, count):
    x = values(count)
    assert torch.equal(device(threshold, x, 0.5), twin(x, 0.5))


def test_other_types_are_refused():
    with pytest.raises(DeepLabError, match="threshold: torch.float64 given, float32 wanted"):
        threshold(torch.zeros(2, dtype=torch.float64), 0.5)
