import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


@pytest.mark.parametrize("size", [1, 3, 5, 31])
def test_lrn_across(run_layer, rand, size):
    x = rand(2, 7, 4, 5)
    fields = f"lrn_param {{ local_size: {size} alpha: 0.5 beta: 0.75 k: 2 }}"
    wanted = torch.nn.functional.local_response_norm(x.double(), size, 0.5, 0.75, 2)
    torch.testing.assert_close(run_layer(layer("LRN", fields))(x)[0].double(), wanted, rtol=1e-5, atol=1e-6)


def test_lrn_within(run_layer, rand):
    x = rand(2, 3, 6, 5)
    (top,) = run_layer(layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"))(x)
    # Caffe's average counts padding, but at stride 1 every window is whole.
    average = torch.nn.functional.avg_pool2d(x.double() ** 2, 3, 1, 1)
    torch.testing.assert_close(top.double(), x.double() * (1 + 0.5 * average) ** -0.75, rtol=1e-5, atol=1e-6)


def test_lrn_errors(run_layer):
    for size in (0, 4):
        with pytest.raises(DeepLabError, match="local_size"):
            run_layer(layer("LRN", f"lrn_param {{ local_size: {size} }}"))
