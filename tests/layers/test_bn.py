"""BN of two forks against loops over channels."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError

SEGNET = "bn_param { scale_filler { value: 2 } shift_filler { value: 0.5 } bn_mode: %s }"
PSPNET = "bn_param { slope_filler { value: 2 } bias_filler { value: 0.5 } momentum: 0.75 eps: 0.01 %s }"


def net_of(tmp_path, fields, phase="test", tops=""):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }\n'
        f'layer {{ name: "bn" type: "BN" bottom: "x" top: "y" {tops} {fields} }}\n'
    )
    return Net(path, phase=phase)


def normal(x, eps):
    """(x - mean) / sqrt(variance + eps) of each channel over the batch, with plain sums."""
    out = torch.empty_like(x, dtype=torch.float64)
    for c in range(x.shape[1]):
        values = x[:, c].double()
        mean = values.sum() / values.numel()
        variance = ((values - mean) ** 2).sum() / values.numel()
        out[:, c] = (values - mean) / (variance + eps).sqrt()
    return out


@pytest.mark.parametrize("phase", ["test", "train"])
def test_segnet_learn(tmp_path, rand, phase):
    net = net_of(tmp_path, SEGNET % "LEARN", phase, 'top: "mean" top: "variance"')
    x = rand(2, 3, 4, 5)
    tops = net.forward(x=x)
    assert [blob.shape for blob in net.params["bn"]] == [(1, 3, 1, 1)] * 2
    torch.testing.assert_close(tops["y"].double(), normal(x, 1e-9) * 2 + 0.5, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(tops["mean"].flatten(), x.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tops["variance"].flatten(), x.var((0, 2, 3), correction=0))


def test_segnet_inference(tmp_path, rand):
    net = net_of(tmp_path, SEGNET % "INFERENCE")
    x = rand(2, 3, 4, 5)
    assert torch.equal(net(x=x), x * 2 + 0.5)
    with pytest.raises(DeepLabError, match="top: 2 given, 1 wanted"):
        net_of(tmp_path, SEGNET % "INFERENCE", tops='top: "mean"')


def test_pspnet_test_phase(tmp_path, rand):
    net = net_of(tmp_path, PSPNET % "")
    x, mean, variance = rand(2, 3, 4, 5), rand(1, 3, 1, 1), rand(1, 3, 1, 1).abs()
    net.params["bn"][2].data, net.params["bn"][3].data = mean, variance
    wanted = (x.double() - mean) / (variance.double() + 0.01).sqrt() * 2 + 0.5
    torch.testing.assert_close(net(x=x).double(), wanted, rtol=1e-6, atol=1e-6)
    frozen = net_of(tmp_path, PSPNET % "frozen: true", "train")
    assert [float(blob.values()[0, 0]) for blob in frozen.params["bn"]] == [2, 0.5, 0, 1]
    assert [blob.lr_mult for blob in frozen.params["bn"]] == [0] * 4
    frozen.params["bn"][2].data, frozen.params["bn"][3].data = mean, variance
    assert torch.equal(frozen(x=x), net(x=x))


def test_pspnet_training_moves_the_statistics(tmp_path, rand):
    net = net_of(tmp_path, PSPNET % "", "train")
    assert [blob.lr_mult for blob in net.params["bn"]] == [1, 1, 0, 0]
    x = rand(2, 3, 4, 5)
    torch.testing.assert_close(net(x=x).double(), normal(x, 0.01) * 2 + 0.5, rtol=1e-5, atol=1e-5)
    _, _, mean, variance = (blob.values().flatten().clone() for blob in net.params["bn"])
    torch.testing.assert_close(mean, 0.25 * x.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance, 0.25 * x.var((0, 2, 3), correction=0), rtol=1e-5, atol=1e-6)
    module = net.module()
    module(x)
    _, _, again, _ = (blob.values().flatten() for blob in net.params["bn"])
    torch.testing.assert_close(again, 0.75 * mean + 0.25 * x.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_shapes(tmp_path, run_layer):
    run = run_layer(f'layer {{ name: "b" type: "BN" bottom: "a" top: "b" {PSPNET % ""} }}')
    assert run.layer.blob_shapes([(2, 7, 1, 1)]) == [(1, 7, 1, 1)] * 4
    with pytest.raises(DeepLabError, match="4 dimensions wanted"):
        run.layer.shape([(2, 7)])


@pytest.mark.parametrize("more", ["", "frozen: true"])
def test_pspnet_gradients(tmp_path, rand, more):
    (layer,) = net_of(tmp_path, PSPNET % more, "train").layers
    x = rand(2, 3, 4, 5)
    mean, variance = rand(1, 3, 1, 1).double(), rand(1, 3, 1, 1).abs().double()
    inputs = [x.double(), rand(1, 3, 1, 1).double() + 2, rand(1, 3, 1, 1).double()]
    inputs = [value.requires_grad_() for value in inputs]

    def formula(x, slope, bias):
        return layer.formula([x], [slope, bias, mean, variance])[0]

    assert torch.autograd.gradcheck(formula, inputs)
    for blob, value in zip(layer.blobs, [*inputs[1:], mean, variance], strict=True):
        blob.data = value.detach().float()
    single = x.clone().requires_grad_()
    weights = rand(2, 3, 4, 5).flip(0)
    (layer.forward_train([single])[0] * weights).sum().backward()
    (formula(*inputs) * weights).sum().backward()
    torch.testing.assert_close(single.grad.double(), inputs[0].grad, rtol=1e-3, atol=1e-4)
    for blob, wanted in zip(layer.blobs, inputs[1:], strict=False):
        if more:
            assert blob.tensor.grad is None  # frozen: nothing learns
            continue
        torch.testing.assert_close(blob.tensor.grad.double(), wanted.grad, rtol=1e-3, atol=1e-4)
