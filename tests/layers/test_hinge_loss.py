import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_hinge(run_layer):
    scores, labels = torch.tensor([[0.5, -2.0, 0.0], [-1.0, 3.0, -0.5]]), torch.tensor([0.0, 1])
    # image 0: 0.5, 0, 1; image 1: 0, 0, 0.5
    assert run_layer(layer("HingeLoss", bottoms=2))(scores, labels)[0].item() == 1.0
    squared = run_layer(layer("HingeLoss", "hinge_loss_param { norm: L2 }", bottoms=2))
    assert squared(scores, labels)[0].item() == 0.75
    with pytest.raises(DeepLabError, match="out of 0 to 2"):
        squared(scores, torch.tensor([0.0, 3]))
