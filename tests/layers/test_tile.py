import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_tile(run_layer, rand):
    x = rand(2, 3, 4)
    for axis in range(3):
        (top,) = run_layer(layer("Tile", f"tile_param {{ axis: {axis} tiles: 3 }}"))(x)
        assert torch.equal(top, torch.cat([x] * 3, axis))
    with pytest.raises(DeepLabError, match="tiles"):
        run_layer(layer("Tile"))(x)
