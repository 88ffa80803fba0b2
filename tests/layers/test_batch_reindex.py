import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_batch_reindex(run_layer, rand):
    x = rand(3, 2, 4)
    run = run_layer(layer("BatchReindex", bottoms=2))
    assert torch.equal(run(x, torch.tensor([2.0, 0, 0, 1]))[0], x[[2, 0, 0, 1]])
    with pytest.raises(DeepLabError, match="out of 0 to 2"):
        run(x, torch.tensor([3.0]))
