import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_axes(run_layer, rand):
    x = rand(2, 3, 4, 5)
    (top,) = run_layer(layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"))(x)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        assert top[n, i, j, c] == x[n, c, i, j]
    run = run_layer(layer("Permute", "permute_param { order: 2 }"))
    assert run.layer.shape([(2, 3, 4, 5)]) == [(4, 2, 3, 5)]  # the others in their order
    assert run_layer(layer("Permute")).layer.shape([(2, 3)]) == [(2, 3)]


def test_errors(run_layer):
    with pytest.raises(DeepLabError, match="names an axis twice"):
        run_layer(layer("Permute", "permute_param { order: 1 order: 1 }"))
    with pytest.raises(DeepLabError, match="the bottom has 2 axes"):
        run_layer(layer("Permute", "permute_param { order: 2 }")).layer.shape([(2, 3)])
