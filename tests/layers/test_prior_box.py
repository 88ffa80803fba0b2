import math

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer

FIELDS = (
    "prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 clip: %s "
    "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 }"
)


@pytest.mark.parametrize("clip", [True, False])
def test_boxes(run_layer, clip):
    run = run_layer(layer("PriorBox", FIELDS % str(clip).lower(), bottoms=2))
    (top,) = run(torch.zeros(1, 8, 2, 3), torch.zeros(1, 3, 100, 150))
    assert top.shape == (1, 2, 4 * 6 * 6)
    wanted = []
    for i in range(2):
        for j in range(3):
            x, y = (j + 0.5) * 50, (i + 0.5) * 50
            sizes = [(30, 30), (math.sqrt(1800),) * 2]
            for ratio in (2, 1 / 2, 3, 1 / 3):
                sizes.append((30 * math.sqrt(ratio), 30 / math.sqrt(ratio)))
            for w, h in sizes:
                wanted += [(x - w / 2) / 150, (y - h / 2) / 100, (x + w / 2) / 150, (y + h / 2) / 100]
    wanted = torch.tensor(wanted).clamp(0, 1) if clip else torch.tensor(wanted)
    torch.testing.assert_close(top[0, 0], wanted, rtol=1e-5, atol=1e-6)
    assert torch.equal(top[0, 1], torch.tensor([0.1, 0.1, 0.2, 0.2]).repeat(36))


def test_errors(run_layer):
    for fields, message in (
        ("", "min_size: missing"),
        ("min_size: 3 max_size: 2", "larger than min_size"),
        ("min_size: 3 variance: 1 variance: 2", "1 or 4 wanted"),
        ("min_size: 3 aspect_ratio: 0", "more than 0"),
    ):
        with pytest.raises(DeepLabError, match=message):
            run_layer(layer("PriorBox", f"prior_box_param {{ {fields} }}", bottoms=2))
