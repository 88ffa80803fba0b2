import pytest
import torch
from torch.nn import functional

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_spp_of_an_even_map(run_layer, rand):
    x = rand(2, 3, 8, 8)
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 3 }"))(x)
    levels = [functional.adaptive_max_pool2d(x, bins).flatten(1) for bins in (1, 2, 4)]
    assert torch.equal(top, torch.cat(levels, 1))
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 2 pool: AVE }"))(x)
    levels = [functional.adaptive_avg_pool2d(x, bins).flatten(1) for bins in (1, 2)]
    torch.testing.assert_close(top, torch.cat(levels, 1))
    assert run_layer(layer("SPP", "spp_param { pyramid_height: 1 }"))(x)[0].shape == (2, 3, 1, 1)


def test_spp_of_an_odd_map(run_layer, rand):
    x = rand(1, 2, 7, 9)
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 3 }"))(x)
    # Level 2: windows of 2 rows and 3 columns, one row and two columns (rounded up) of padding in front.
    padded = functional.pad(x, (2, 2, 1, 1), value=float("-inf"))
    wanted = functional.max_pool2d(padded, (2, 3))
    assert top.shape == (1, 2 * (1 + 4 + 16)) and torch.equal(top[:, 10:], wanted.flatten(1))
    with pytest.raises(DeepLabError, match="pyramid_height"):
        run_layer(layer("SPP", "spp_param { pyramid_height: 6 }"))(x)
