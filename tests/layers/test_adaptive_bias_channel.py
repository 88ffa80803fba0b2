import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_adaptive_bias_channel(run_layer, rand):
    fields = "adaptive_bias_channel_param { bg_portion: 0.4 fg_portion: 0.2 num_iter: 5 }"
    run = run_layer(layer("AdaptiveBiasChannel", fields, bottoms=2))
    scores = rand(2, 4, 20, 20)
    scores[:, 0] += 3
    (top,) = run(scores, torch.tensor([[0.0, 2], [-1, -1]]).view(2, 2, 1, 1))
    assert torch.equal(top[1], scores[1])  # no labels: a copy
    best = top[0].argmax(0)
    share = torch.bincount(best.flatten(), minlength=4) / 400
    assert share[1] == share[3] == 0  # absent labels never win
    assert share[2] >= 0.19
    assert top[0].amax(0).mean().item() == pytest.approx(scores[0][[0, 2]].amax(0).mean().item(), abs=1e-4)
    for labels in (4.0, float("nan"), -2.0):
        with pytest.raises(DeepLabError, match="out of 0 to 3"):
            run(scores, torch.full((2, 1, 1, 1), labels))
    with pytest.raises(DeepLabError, match="fg_portion"):
        run_layer(layer("AdaptiveBiasChannel", "adaptive_bias_channel_param { fg_portion: 1.5 }", bottoms=2))
