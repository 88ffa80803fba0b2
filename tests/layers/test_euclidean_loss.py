import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_euclidean(run_layer, rand):
    run = run_layer(layer("EuclideanLoss", bottoms=2))
    assert run(torch.tensor([[1.0, 2], [3, 4]]), torch.zeros(2, 2))[0].item() == 7.5
    with pytest.raises(DeepLabError, match="do not fit"):
        run(rand(2, 3), rand(2, 4))


def test_euclidean_v1(run_layer, rand):
    """Over all values, not over the images, and with a root on request."""

    def text(fields=""):
        return f'layers {{ name: "l" type: EUCLIDEAN_LOSS bottom: "a" bottom: "b" top: "c" {fields} }}'

    a, b = rand(2, 3, 4, 5), rand(2, 3, 4, 5).flip(3)
    mean = (a - b).square().mean()
    torch.testing.assert_close(run_layer(text())(a, b)[0], (mean / 2).view(1, 1, 1, 1))
    run = run_layer(text("euclidean_loss_param { type: L2sqrt }"))
    torch.testing.assert_close(run(a, b)[0], mean.sqrt().view(1, 1, 1, 1))
    x = a.clone().requires_grad_()
    run.layer.forward_train([x, b])[0].sum().backward()
    torch.testing.assert_close(x.grad, (a - b) / a.numel() / mean.sqrt())
    # At the same values, nearly, the root counts as 1e-6.
    x = a.clone().requires_grad_()
    y = a.clone()
    y[0, 0, 0, 0] += 1e-6
    run.layer.forward_train([x, y])[0].sum().backward()
    torch.testing.assert_close(x.grad, (a - y) / a.numel() / 1e-6)
