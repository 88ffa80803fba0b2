import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_spatial_product(run_layer, rand):
    x, y = rand(2, 3, 4, 5), rand(2, 1, 4, 5)
    run = run_layer(layer("SpatialProduct", bottoms=2))
    assert torch.equal(run(x, y)[0], x * y)
    with pytest.raises(DeepLabError, match="one channel"):
        run(x, rand(2, 3, 4, 5))
