import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_unique_label(run_layer):
    run = run_layer(
        layer("UniqueLabel", "unique_label_param { max_labels: 4 ignore_label: 255 force_label: 0 }")
    )
    labels = torch.tensor([[255.0, 7, 3, 7], [2, 2, 2, 2]]).view(2, 1, 2, 2)
    assert run(labels)[0].view(2, 4).tolist() == [[0, 3, 7, -1], [0, 2, -1, -1]]
    with pytest.raises(DeepLabError, match="max_labels: 5 labels found"):
        run(torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2))
    with pytest.raises(DeepLabError, match="max_labels"):
        run_layer(layer("UniqueLabel", ""))
