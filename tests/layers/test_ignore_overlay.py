import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer_v1


def test_ignore_overlay(run_layer):
    run = run_layer(layer_v1("IGNORE_OVERLAY", "ignore_overlay_param { ignore_label: 255 }", 2))
    first, second = torch.tensor([[255.0, 255.5, 254.5, 0]]), torch.tensor([[1.0, 2, 3, 255]])
    assert run(first, second)[0].tolist() == [[255, 255, 3, 255]]
    with pytest.raises(DeepLabError, match="differ"):
        run(first, second.t())
