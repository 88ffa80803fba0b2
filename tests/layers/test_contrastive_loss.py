import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


@pytest.mark.parametrize("legacy", ["true", "false"])
def test_contrastive(run_layer, rand, legacy):
    a, b, similar = rand(5, 6), rand(5, 6) + 0.3 * rand(6, 5).view(5, 6), torch.tensor([1.0, 0, 0, 1, 0])
    text = layer("ContrastiveLoss", f"contrastive_loss_param {{ margin: 3 legacy_version: {legacy} }}", 3)
    (loss,) = run_layer(text)(a, b, similar)
    total = 0
    for x, y, s in zip(a, b, similar, strict=True):
        squared = float((x - y).square().sum())
        apart = max(0, 3 - squared) if legacy == "true" else max(0, 3 - squared**0.5) ** 2
        total += squared if s else apart
    assert loss.item() == pytest.approx(total / 10)
    with pytest.raises(DeepLabError, match="do not fit"):
        run_layer(text)(a, b, similar[:4])
