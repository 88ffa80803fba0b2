import torch
from torch.nn import functional

from tests.layers.layer_text import layer


def test_multinomial_logistic(run_layer, rand):
    scores, labels = rand(4, 3), torch.tensor([0.0, 2, 1, 1])
    (loss,) = run_layer(layer("MultinomialLogisticLoss", bottoms=2))(scores.softmax(1), labels)
    torch.testing.assert_close(loss, functional.cross_entropy(scores, labels.long()))
