import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError

TEXT = """
input: "data" input_shape { dim: 2 dim: 3 dim: 9 dim: 9 }
input: "label" input_shape { dim: 2 dim: 1 dim: 5 dim: 5 }
layer { name: "c.1" type: "Convolution" bottom: "data" top: "a"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "d" type: "Dropout" bottom: "a" top: "a" }
layer { name: "p" type: "Pooling" bottom: "a" top: "p" pooling_param { kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "c2" type: "Convolution" bottom: "p" top: "s"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "s" bottom: "label" loss_weight: 2 }
"""


@pytest.fixture
def make(tmp_path):
    def make(text=TEXT, phase="train", **options):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return Net(path, phase=phase, **options)

    return make


def batch():
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(2, 3, 9, 9, generator=generator)
    return data, torch.randint(0, 3, (2, 1, 5, 5), generator=generator).float()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["exact", "fp32", "bf16"])
def test_any_optimizer_trains_it(make, precision):
    module = make(precision=precision, seed=3).module()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        loss, outputs = module(*batch())
        assert list(outputs) == ["loss"]
        assert loss.item() == pytest.approx(2 * outputs["loss"].item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.dtype == torch.float32 and p.grad.abs().sum() > 0 for p in module.parameters())


def test_learnables(make):
    text = TEXT.replace("{ lr_mult: 1 }", '{ name: "w" lr_mult: 0 }')
    text += """layer { name: "again" type: "Convolution" bottom: "data" top: "again" param { name: "w" }
      convolution_param { num_output: 6 kernel_size: 3 } }"""
    module = make(text).module()
    found = [(x.layer, x.index, x.lr_mult, x.decay_mult) for x in module.learnables()]
    one = (1.0, 1.0)
    assert found == [("c.1", 0, 0, 1), ("c.1", 1, 2, 0), ("c2", 0, *one), ("c2", 1, *one), ("again", 1, *one)]
    assert [name for name, _ in module.named_parameters()] == [
        "c_1.weight",
        "c_1.bias",
        "c2.weight",
        "c2.bias",
        "again.bias",
    ]
    assert not module.learnables()[0].tensor.requires_grad


def test_a_shared_parameter_collects_the_gradients_of_its_layers(make):
    text = """
    input: "x" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }
    layer { name: "a" type: "Convolution" bottom: "x" top: "a" param { name: "w" }
      convolution_param { num_output: 2 kernel_size: 1 bias_term: false weight_filler { type: "xavier" } } }
    layer { name: "b" type: "Convolution" bottom: "a" top: "b" param { name: "w" } loss_weight: 1
      convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }"""
    module = make(text).module()
    x = torch.randn(1, 2, 4, 4)
    module(x).loss.backward()
    w = next(module.parameters()).detach().clone().requires_grad_()
    conv = torch.nn.functional.conv2d
    conv(conv(x, w), w).sum().backward()
    torch.testing.assert_close(next(module.parameters()).grad, w.grad)


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_changes_of_a_parameter_reach_the_net_and_its_test_net(make, precision):
    net, test = make(precision=precision), make(phase="test", precision=precision)
    module = net.module()
    test.share(net)
    data, label = batch()
    before = test.forward(data=data, label=label)["loss"]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)
    fresh = make(phase="test", precision=precision)
    for name, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            fresh.params[name][i].data = blob.values().clone()
    after = test.forward(data=data, label=label)["loss"]
    assert after != before
    assert torch.equal(after, fresh.forward(data=data, label=label)["loss"])
    net.params["c2"][0].data = torch.zeros(3, 6, 1, 1)
    assert dict(module.named_parameters())["c2.weight"].abs().sum() == 0


def test_exact_training_does_not_depend_on_threads(make):
    def gradients(threads):
        module = make(threads=threads, seed=1).module()
        module(*batch()).loss.backward()
        return [p.grad for p in module.parameters()]

    for one, two in zip(gradients(1), gradients(2), strict=True):
        assert torch.equal(one, two)


def test_dropout_depends_on_seed_rank_and_number_of_the_forward_alone(make):
    def loss(passes, **options):
        net = make(**options)
        net.params["c.1"][0].data = torch.ones(6, 3, 3, 3)
        net.params["c2"][0].data = torch.rand(3, 6, 1, 1, generator=torch.Generator().manual_seed(5))
        net.seek(passes)
        return [net.forward_train(data=batch()[0], label=batch()[1]).loss.item() for _ in range(2)]

    first = loss(0)
    torch.manual_seed(7)
    assert loss(0) == first
    assert loss(1)[0] == first[1] != first[0]
    assert loss(0, seed=2) != first
    assert loss(0, rank=1, ranks=2) != first


def test_gradients_in_float64(make):
    module = make(TEXT.replace('type: "Dropout"', 'type: "Split"')).module().double()
    data, label = batch()
    module(data.double(), label.double()).loss.backward()
    exact = make(TEXT.replace('type: "Dropout"', 'type: "Split"')).module()
    exact(data, label).loss.backward()
    for p, q in zip(module.parameters(), exact.parameters(), strict=True):
        assert p.grad.dtype == torch.float64
        torch.testing.assert_close(p.grad.float(), q.grad, rtol=1e-4, atol=1e-6)


def test_inputs_have_gradients(make):
    module = make().module()
    data, label = batch()
    data.requires_grad_()
    module(data, label).loss.backward()
    assert data.grad.abs().sum() > 0


def test_autocast(make):
    module = make(precision="fp32").module()
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = module(*batch())
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(p.grad.dtype == torch.float32 for p in module.parameters())


def test_distributed(make, tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        module = make().module()
        torch.nn.parallel.DistributedDataParallel(module)(*batch()).loss.backward()
        assert all(p.grad is not None for p in module.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_batch_norm_keeps_moving_statistics(make):
    text = """
    input: "x" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }
    layer { name: "n" type: "BatchNorm" bottom: "x" top: "y"
      batch_norm_param { moving_average_fraction: 0.5 } }
    layer { name: "s" type: "Scale" bottom: "y" top: "z" loss_weight: 1 }"""
    x = torch.randn(2, 3, 4, 5) * 2 + 1
    for precision in ("exact", "fp32"):
        net = make(text, precision=precision)
        module = net.module()
        for _ in range(2):
            loss = module(x).loss
        loss.backward()
        assert [p.requires_grad for p in module.parameters()] == [False, False, False, True]
        mean, variance, divisor = (blob.values() for blob in net.params["n"])
        assert divisor.item() == 1.5
        torch.testing.assert_close(mean / divisor, x.mean((0, 2, 3)))
        torch.testing.assert_close(variance / divisor, x.var((0, 2, 3)))


def test_loss_weights_must_fit_the_tops(make):
    net = make(TEXT.replace("loss_weight: 2", "loss_weight: 2 loss_weight: 1"))
    with pytest.raises(DeepLabError, match="layer 'loss' .SoftmaxWithLoss.: loss_weight: 2 given for 1 tops"):
        net.forward_train(**dict(zip(("data", "label"), batch(), strict=True)))
