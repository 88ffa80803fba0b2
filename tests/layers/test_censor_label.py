import torch

from tests.layers.layer_text import layer


def test_censor_label(run_layer):
    run = run_layer(layer("CensorLabel", bottoms=2))
    labels = torch.tensor([0.0, 1, 2, 255, 3, 3, 1, 0]).view(2, 1, 2, 2)
    lists = torch.tensor([[0.0, 2], [3, -1]]).view(2, 2, 1, 1)
    assert run(labels, lists)[0].flatten().tolist() == [0, 255, 2, 255, 3, 3, 255, 255]
