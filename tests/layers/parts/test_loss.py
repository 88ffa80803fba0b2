"""By the smallest loss of each kind."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer, layer_v1


def test_shapes(run_layer):
    loss = run_layer(layer("EuclideanLoss", bottoms=2)).layer
    assert loss.shape([(2, 3, 4), (2, 12)]) == [()]
    assert run_layer(layer_v1("EUCLIDEAN_LOSS", bottoms=2)).layer.shape([(2, 3), (2, 3)]) == [(1, 1, 1, 1)]
    labels = run_layer(layer("HingeLoss", bottoms=2)).layer
    assert labels.shape([(2, 3), (2, 1, 1)]) == [()]
    for given, second in ((loss, (1, 6)), (loss, (2, 2)), (labels, (2, 3)), (loss, ())):
        with pytest.raises(DeepLabError, match=r"bottom: \(2, 3\) and .* do not fit"):
            given.shape([(2, 3), second])


def test_labels(run_layer):
    run = run_layer(layer("HingeLoss", bottoms=2))
    for wrong in (-1.0, 3.0, float("nan")):
        with pytest.raises(DeepLabError, match="a label out of 0 to 2"):
            run(torch.zeros(1, 3), torch.tensor([wrong]))


def test_sums_in_float64(run_layer):
    """A sum in float32 would lose the small summands beside 1e8."""
    x = torch.tensor([[1e4] + [1.0] * 64])
    wanted = torch.tensor((1e8 + 64) / 2, dtype=torch.float64).float()
    assert run_layer(layer("EuclideanLoss", bottoms=2))(x, torch.zeros_like(x))[0] == wanted
