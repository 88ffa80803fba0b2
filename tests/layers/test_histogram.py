import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer_v1


def test_histogram(run_layer):
    run = run_layer(
        layer_v1("HISTOGRAM", "histogram_param { num_labels: 4 ignore_label: 255 ignore_label: 9 }")
    )
    labels = torch.tensor([[3.0, 0, 3, 255], [1, 3, 9, 0]]).view(2, 1, 2, 2)
    (top,) = run(labels)
    assert top.shape == (2, 4, 1, 1)
    assert top.flatten(1).tolist() == [[2, 1, 0, 3], [0, 0, 0, 0]]
    for wrong in (4.0, -1.0, 0.5, float("nan"), float("inf")):
        with pytest.raises(DeepLabError, match="found, an integer from 0 to 3 wanted"):
            run(torch.full((1, 1, 1, 1), wrong))
    with pytest.raises(DeepLabError, match="one channel"):
        run(torch.zeros(1, 2, 2, 2))
    with pytest.raises(DeepLabError, match="num_labels: 0"):
        run_layer(layer_v1("HISTOGRAM"))
