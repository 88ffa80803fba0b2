import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_bias_channel_of_an_image(run_layer):
    run = run_layer(layer("BiasChannel", "bias_channel_param { bg_bias: 1 fg_bias: 2 }", bottoms=2))
    scores = torch.zeros(2, 3, 2, 2)
    (top,) = run(scores, torch.tensor([[0.0, 2], [1, -1]]).view(2, 2, 1, 1))
    assert top[:, :, 0, 0].tolist() == [[1, 0, 2], [0, 2, 0]]
    with pytest.raises(DeepLabError, match="label 3 found"):
        run(scores, torch.full((2, 1, 1, 1), 3.0))


def test_bias_channel_of_pixels(run_layer):
    labels = torch.tensor([0.0, 1, 2, 255]).view(1, 1, 2, 2)
    scores = torch.zeros(1, 3, 2, 2)
    text = "bias_channel_param { label_type: PIXEL ignore_label: 255 %s fg_bias: 2 }"
    (top,) = run_layer(layer("BiasChannel", text % "bg_bias: 1", bottoms=2))(scores, labels)
    assert top.view(3, 4).tolist() == [[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 2, 0]]
    (top,) = run_layer(layer("BiasChannel", text % "", bottoms=2))(scores, labels)
    assert top.view(3, 4).tolist() == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]
