import pytest
import torch

from deeplab_caffe.autograd import accumulating
from deeplab_caffe.engine.net import Net

NET = """input: "x" input_dim: 3 input_dim: 4 input_dim: 9 input_dim: 9
  layer { name: "a" type: "Convolution" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
    convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
  layer { name: "b" type: "Convolution" bottom: "a" top: "b" param { name: "w" } param { name: "b" }
    convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "x" top: "loss" }"""

X = torch.randn(3, 4, 9, 9, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    return Net(tmp_path / "net.prototxt", phase="train", threads=1)


def gradients(net, clear):
    tensors = [found.tensor for found in net.module().learnables()]
    for tensor in tensors:
        tensor.grad = clear(tensor)
    for passes in range(3):
        net.forward_train(x=X + passes).loss.backward()
    return [tensor.grad for tensor in tensors]


def test_the_same_sums_in_another_order(net):
    """Two layers share these parameters, and three passes add to them."""
    plain = gradients(net, lambda tensor: None)
    with accumulating():
        added = gradients(net, torch.zeros_like)
        fresh = gradients(net, lambda tensor: None)  # where nothing is to be added to, autograd does it
    for a, b, c in zip(plain, added, fresh, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(a, c, rtol=1e-4, atol=1e-4)
        assert a.abs().max() > 0


def test_hooks_see_every_gradient(net):
    """DistributedDataParallel waits for them."""
    seen = []
    (weights, bias) = (found.tensor for found in net.module().learnables())
    for tensor in (weights, bias):
        tensor.grad = torch.zeros_like(tensor)
        tensor.register_post_accumulate_grad_hook(lambda tensor: seen.append(tensor.grad.clone()))
    with accumulating():
        net.forward_train(x=X).loss.backward()
    assert len(seen) == 2
    assert {tuple(grad.shape) for grad in seen} == {tuple(weights.shape), tuple(bias.shape)}
    assert all(grad.abs().max() > 0 for grad in seen)
