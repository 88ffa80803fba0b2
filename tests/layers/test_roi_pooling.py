import math

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer

FIELDS = "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }"
REGIONS = torch.tensor(
    [[0.0, 0, 0, 11, 9], [1, 3, 1, 8, 8], [1, 9, 9, 30, 30], [0, 4, 4, 4, 4], [0, 7, 5, 2, 1]]
)


def loops(x, regions):
    """A cell at a time."""
    top = torch.zeros(len(regions), x.shape[1], 2, 3)
    half_up = lambda v: math.floor(v + 0.5)  # noqa: E731 - of numbers that are not negative
    for r, (n, x1, y1, x2, y2) in enumerate(regions.tolist()):
        left, up, right, down = (half_up(v * 0.5) for v in (x1, y1, x2, y2))
        height, width = max(down - up + 1, 1) / 2, max(right - left + 1, 1) / 3
        for c in range(x.shape[1]):
            for i in range(2):
                for j in range(3):
                    cell = [
                        x[int(n), c, a, b].item()
                        for a in range(math.floor(i * height) + up, math.ceil((i + 1) * height) + up)
                        for b in range(math.floor(j * width) + left, math.ceil((j + 1) * width) + left)
                        if 0 <= a < x.shape[2] and 0 <= b < x.shape[3]
                    ]
                    top[r, c, i, j] = max(cell) if cell else 0
    return top


def test_against_loops(run_layer, rand):
    x = rand(2, 3, 7, 6)
    (top,) = run_layer(layer("ROIPooling", FIELDS, bottoms=2))(x, REGIONS)
    assert torch.equal(top, loops(x, REGIONS))


@pytest.mark.slow
def test_gradients(run_layer, rand):
    pool = run_layer(layer("ROIPooling", FIELDS, bottoms=2)).layer
    x = rand(2, 1, 7, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pool.formula([x, REGIONS.double()], [])[0], [x])


def test_errors(run_layer, rand):
    run = run_layer(layer("ROIPooling", FIELDS, bottoms=2))
    with pytest.raises(DeepLabError, match="region of image 2, there are 2"):
        run(rand(2, 1, 4, 4), torch.tensor([[2.0, 0, 0, 1, 1]]))
    with pytest.raises(DeepLabError, match=r"\(N, C, H, W\) and \(R, 5\) wanted"):
        run.layer.shape([(1, 2, 3, 4), (3, 4)])
    with pytest.raises(DeepLabError, match="pooled_h: missing"):
        run_layer(layer("ROIPooling", bottoms=2))
