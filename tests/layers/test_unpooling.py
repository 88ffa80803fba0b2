import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def loops(x, method, kernel, stride, size, mask=None):
    """By the definition, a value at a time."""
    top = torch.zeros(*x.shape[:2], *size)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        row, column = i * stride, j * stride
        if method == "MAX":
            place = min(row, size[0] - 1) * size[1] + min(column, size[1] - 1)
            place = place if mask is None else int(mask[n, c, i, j])
            top[n, c].view(-1)[place] = x[n, c, i, j]
            continue
        rows, columns = range(row, min(row + kernel, size[0])), range(column, min(column + kernel, size[1]))
        for r in rows:
            for k in columns:
                area = len(rows) * len(columns) if method == "AVE" else 1
                top[n, c, r, k] += x[n, c, i, j] / area
    return top


@pytest.mark.parametrize("method", ["MAX", "AVE", "TILE"])
@pytest.mark.parametrize(
    ("fields", "kernel", "stride", "size"),
    [
        ("kernel_size: 2 stride: 2", 2, 2, (7, 9)),
        ("kernel_size: 3 stride: 2", 3, 2, (7, 9)),
        ("kernel_size: 2 stride: 2 unpool_size: 5", 2, 2, (5, 5)),
        ("kernel_size: 2 stride: 2 unpool_h: 6 unpool_w: 10", 2, 2, (6, 10)),
    ],
)
def test_against_loops(run_layer, rand, method, fields, kernel, stride, size):
    run = run_layer(layer("Unpooling", f"unpooling_param {{ unpool: {method} {fields} }}"))
    x = rand(2, 3, 3, 4)
    (top,) = run(x)
    assert torch.isfinite(top).all()
    torch.testing.assert_close(top, loops(x, method, kernel, stride, size), rtol=1e-6, atol=1e-6)


def test_with_the_mask(run_layer, rand):
    run = run_layer(
        layer("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 6 }", bottoms=2)
    )
    x, mask = rand(1, 2, 3, 3), torch.randperm(36)[:18].view(1, 2, 3, 3).float()
    assert torch.equal(run(x, mask)[0], loops(x, "MAX", 2, 2, (6, 6), mask))


def test_errors(run_layer):
    with pytest.raises(DeepLabError, match="kernel_size: missing"):
        run_layer(layer("Unpooling"))
    with pytest.raises(DeepLabError, match="pad: none wanted"):
        run_layer(layer("Unpooling", "unpooling_param { kernel_size: 2 pad: 1 }"))
