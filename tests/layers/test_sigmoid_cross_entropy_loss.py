import torch
from torch.nn import functional

from tests.layers.layer_text import layer


def test_sigmoid_cross_entropy(run_layer, rand):
    x, t = rand(4, 3, 2, 2) * 20, torch.rand(4, 3, 2, 2)
    (loss,) = run_layer(layer("SigmoidCrossEntropyLoss", bottoms=2))(x, t)
    torch.testing.assert_close(loss, functional.binary_cross_entropy_with_logits(x, t, reduction="sum") / 4)
