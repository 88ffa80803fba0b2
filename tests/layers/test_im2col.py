import pytest
import torch
from torch.nn import functional

from tests.layers.layer_text import layer


@pytest.mark.parametrize(
    "fields, kernel, dilation, pad, stride",
    [
        ("kernel_size: 3 pad: 2 dilation: 2", (3, 3), 2, 2, 1),
        ("kernel_h: 2 kernel_w: 3 stride: 2", (2, 3), 1, 0, 2),
    ],
)
def test_im2col(run_layer, rand, fields, kernel, dilation, pad, stride):
    x = rand(2, 3, 9, 11)
    (top,) = run_layer(layer("Im2col", f"convolution_param {{ {fields} }}"))(x)
    wanted = functional.unfold(x, kernel, dilation, pad, stride)
    assert top.shape[1] == 3 * kernel[0] * kernel[1] and torch.equal(top.flatten(2), wanted)
    # A convolution is a product with it.
    weights = rand(5, 3, *kernel)
    product = torch.einsum("ok,nkp->nop", weights.flatten(1), top.flatten(2))
    y = functional.conv2d(x, weights, None, stride, pad, dilation)
    torch.testing.assert_close(product, y.flatten(2), rtol=1e-4, atol=1e-4)
