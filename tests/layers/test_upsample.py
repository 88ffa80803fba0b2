import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def loops(x, mask, height, width):
    """Each value at its place, one after the other."""
    top = torch.zeros(*x.shape[:2], height * width)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        top[n, c, int(mask[n, c, i, j])] = x[n, c, i, j]
    return top.view(*x.shape[:2], height, width)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("", (6, 8)),
        ("upsample_param { scale: 3 }", (9, 12)),
        ("upsample_param { scale_h: 2 scale_w: 3 }", (6, 12)),
        ("upsample_param { scale: 2 pad_out_h: true }", (5, 8)),
        ("upsample_param { upsample_h: 7 upsample_w: 9 }", (7, 9)),
    ],
)
def test_values_go_where_the_mask_says(run_layer, rand, fields, size):
    run = run_layer(layer("Upsample", fields, bottoms=2))
    x = rand(2, 3, 3, 4)
    mask = torch.randint(size[0] * size[1], x.shape, generator=torch.Generator().manual_seed(3)).float()
    mask[0, 0, 0, 0] = mask[0, 0, 2, 3]  # the last one stays
    (top,) = run(x, mask)
    assert torch.equal(top, loops(x, mask, *size))


def test_it_undoes_a_pooling(run_in_net, rand):
    x = rand(1, 2, 6, 8)
    pooled, mask = run_in_net("Pooling", x, rest="pooling_param { kernel_size: 2 stride: 2 }", tops=2)
    (top,) = run_in_net("Upsample", pooled, mask)
    kept = top != 0
    assert kept.sum() == pooled.numel() and torch.equal(top[kept], x[kept])


def test_gradients(run_layer, rand):
    x = rand(1, 2, 3, 4).requires_grad_()
    mask = torch.arange(24.0).view(1, 2, 3, 4).flip(3)
    mask[0, 0, 0, 0] = mask[0, 0, 0, 1]  # both have the gradient of their place
    (top,) = run_layer(layer("Upsample", bottoms=2)).layer.forward_train([x, mask])
    weights = rand(*top.shape)
    (top * weights).sum().backward()
    flat = weights.flatten(2)
    assert torch.equal(x.grad.flatten(2), flat.gather(2, mask.long().flatten(2)))


def test_errors(run_layer, rand):
    run = run_layer(layer("Upsample", bottoms=2))
    with pytest.raises(DeepLabError, match="place 24 in the mask, the top has 4x6 of them"):
        run(rand(1, 1, 2, 3), torch.full((1, 1, 2, 3), 24.0))
    with pytest.raises(DeepLabError, match="the same 4 dimensions"):
        run.layer.shape([(1, 1, 2, 3), (1, 1, 3, 2)])
    for fields, message in (
        ("scale: 1", "scale: 1 given"),
        ("scale: 3 pad_out_w: true", "pad_out_w: for a scale of 2"),
        ("scale_h: 2", "scale_h and scale_w"),
        ("upsample_h: 1 upsample_w: 5", "2 or more"),
    ):
        with pytest.raises(DeepLabError, match=message):
            run_layer(layer("Upsample", f"upsample_param {{ {fields} }}", bottoms=2))
