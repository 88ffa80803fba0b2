import pytest
import torch

from deeplab_caffe import Net
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


@pytest.mark.parametrize("dialect, loss", [("v1", 0.5), ("v2", 72)])
def test_v1_text_of_both_programs(tmp_path, dialect, loss):
    """Half the mean over all values, or the sum over twice the images."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "a" input_dim: 2 input_dim: 4 input_dim: 6 input_dim: 6 '
        'input: "b" input_dim: 2 input_dim: 4 input_dim: 6 input_dim: 6 '
        'layers { name: "l" type: EUCLIDEAN_LOSS bottom: "a" bottom: "b" top: "c" }'
    )
    net = Net(path, dialect=dialect)
    assert net.forward(a=torch.ones(2, 4, 6, 6), b=torch.zeros(2, 4, 6, 6))["c"].item() == loss
