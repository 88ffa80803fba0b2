import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts.unpool import places_of
from tests.layers.layer_text import layer


def test_places(run_layer):
    own = run_layer(layer("Upsample", bottoms=2)).layer
    mask = torch.tensor([[[[0.0, 5], [3, 2]]]])
    assert places_of(own, mask, (2, 3)).tolist() == [[[0, 5, 3, 2]]]
    for size, wrong in (((2, 2), 5), ((1, 3), 5)):
        with pytest.raises(DeepLabError, match=f"place {wrong} in the mask"):
            places_of(own, mask, size)
