import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer_v1


def test_one_hot(run_layer):
    run = run_layer(layer_v1("ONEHOT", "onehot_param { num_labels: 3 }"))
    lists = torch.tensor([[2.0, 0, 2], [-1, -1, -1], [1.0, 1, -1]]).view(3, 3, 1, 1)
    assert run(lists)[0].flatten(1).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert run(torch.zeros(2, 5, 4, 6))[0].shape == (2, 3, 4, 6)
    for wrong in (3.0, -2.0, float("nan")):
        with pytest.raises(DeepLabError, match="label out of -1 to 2"):
            run(torch.full((1, 3, 1, 1), wrong))
    with pytest.raises(DeepLabError, match="at most the channels"):
        run(torch.zeros(1, 2, 1, 1))
    with pytest.raises(DeepLabError, match="num_labels: 0"):
        run_layer(layer_v1("ONEHOT"))
