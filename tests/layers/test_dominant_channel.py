import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_dominant_channel(run_layer):
    scores = torch.tensor([[1, 9, 5], [4, 2, 4], [3, 3, 3], [0, 0, 0]]).view(1, 4, 1, 3)
    run = run_layer(layer("DominantChannel", "dominant_channel_param { top_k: 2 }"))
    # First places: 1, 0, 0 -> channel 0 twice, 1 once. Second ones do not count any more.
    assert run(scores)[0].flatten().tolist() == [0, 1]
    # All first places to channel 3, second ones to 2.
    assert run(torch.arange(4).repeat(3, 1).t().reshape(1, 4, 1, 3))[0].flatten().tolist() == [3, 2]
    with pytest.raises(DeepLabError, match="top_k"):
        run(scores[:, :2])
