import inspect

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference

UPDATES = {
    "sgd_update": (0.01, 0.9),
    "nesterov_update": (0.01, 0.9),
    "adagrad_update": (0.01, 1e-8),
    "rmsprop_update": (0.01, 0.98, 1e-8),
    "adadelta_update": (1.0, 0.95, 1e-6),
    "adam_update": (0.001, 0.9, 0.999, 1e-8),
}
# Shorter than a vector, one chunk, several chunks and a rest.
SIZES = [1, 1000, 3 * 16384 + 77]


def draw(seed, count, dtype=torch.float32):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def same_bits(a, b):
    return a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("name", UPDATES)
def test_bits_of_the_twin_over_three_steps(name, count):
    blobs = len(inspect.signature(getattr(ops, name)).parameters) - len(UPDATES[name]) - 1
    ours = [draw(0, count), *(torch.zeros(count) for _ in range(blobs - 2))]
    twin = [t.clone() for t in ours]
    for step in range(1, 4):
        gradient = draw(step, count)
        getattr(ops, name)(ours[0], gradient, *ours[1:], *UPDATES[name], threads=1 + step % 2)
        getattr(reference, name)(twin[0], gradient, *twin[1:], *UPDATES[name])
        assert all(same_bits(a, b) for a, b in zip(ours, twin, strict=True))
    assert not same_bits(ours[0], draw(0, count))


@pytest.mark.parametrize("name", UPDATES)
def test_the_devices_bits(name, device):
    blobs = len(inspect.signature(getattr(ops, name)).parameters) - len(UPDATES[name]) - 1
    ours = [draw(0, 1000), *(torch.zeros(1000) for _ in range(blobs - 2))]
    with device.kernels():
        theirs = device.to([tensor.clone() for tensor in ours])
        for step in range(1, 3):
            getattr(ops, name)(theirs[0], device.to(draw(step, 1000)), *theirs[1:], *UPDATES[name])
    for step in range(1, 3):
        getattr(ops, name)(ours[0], draw(step, 1000), *ours[1:], *UPDATES[name])
    assert all(same_bits(a, b.cpu()) for a, b in zip(ours, theirs, strict=True))


def test_the_devices_gradients(device):
    weight, x = draw(1, 1000), draw(3, 16384 + 77)
    for decay, l1 in ((0.0, False), (5e-4, False), (5e-4, True)):
        ours, theirs = draw(2, 1000), device.to(draw(2, 1000))
        ops.regularize(ours, weight, 0.7, 0.5, decay, l1)
        with device.kernels():
            ops.regularize(theirs, device.to(weight), 0.7, 0.5, decay, l1)
        assert same_bits(ours, theirs.cpu())
    assert device(ops.sum_of_squares, x) == ops.sum_of_squares(x)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize("decay", [0.0, 5e-4])
def test_regularize(count, l1, decay):
    weight = draw(1, count)
    weight[0] = 0
    for threads in (1, 2):
        ours, twin = draw(2, count), draw(2, count)
        ops.regularize(ours, weight, 0.7, 0.5, decay, l1, threads=threads)
        reference.regularize(twin, weight, 0.7, 0.5, decay, l1)
        assert same_bits(ours, twin)


def test_no_decay_leaves_the_weight_out():
    gradient = torch.ones(3)
    ops.regularize(gradient, torch.tensor([float("inf"), float("nan"), 1]), share=0.5)
    assert gradient.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("count", SIZES)
def test_sum_of_squares(count):
    x = draw(3, count)
    one, two = (ops.sum_of_squares(x, threads=threads) for threads in (1, 2))
    assert one == two
    assert one == pytest.approx(reference.sum_of_squares(x), rel=1e-12)


def test_the_rules_in_float64_by_hand():
    def tensors(*values):
        return [torch.tensor([value], dtype=torch.float64) for value in values]

    w, g, h = tensors(1.0, 0.5, 0.2)
    reference.nesterov_update(w, g, h, 0.1, 0.9)
    assert h.item() == pytest.approx(0.23) and w.item() == pytest.approx(1 - (1.9 * 0.23 - 0.9 * 0.2))
    w, g, m, v = tensors(1.0, 0.5, 0.2, 0.1)
    reference.adam_update(w, g, m, v, 0.1, 0.9, 0.99, 1e-3)
    assert w.item() == pytest.approx(1 - 0.1 * 0.23 / ((0.99 * 0.1 + 0.01 * 0.25) ** 0.5 + 1e-3))
    w, g, a, b = tensors(1.0, 0.5, 0.2, 0.1)
    reference.adadelta_update(w, g, a, b, 2.0, 0.9, 1e-3)
    assert w.item() == pytest.approx(1 - 2 * 0.5 * ((0.101) / (0.9 * 0.2 + 0.1 * 0.25 + 1e-3)) ** 0.5)
    w, g, h = tensors(1.0, 0.5, 0.2)
    reference.rmsprop_update(w, g, h, 0.1, 0.9, 1e-3)
    assert w.item() == pytest.approx(1 - 0.1 * 0.5 / ((0.9 * 0.2 + 0.1 * 0.25) ** 0.5 + 1e-3))
    w, g, h = tensors(1.0, 0.5, 0.2)
    reference.adagrad_update(w, g, h, 0.1, 1e-3)
    assert w.item() == pytest.approx(1 - 0.1 * 0.5 / (0.45**0.5 + 1e-3))


def test_what_does_not_fit():
    x = torch.zeros(4)
    with pytest.raises(DeepLabError, match="sgd_update: 3 values given, 4 wanted"):
        ops.sgd_update(x, x.clone(), torch.zeros(3), 0.1, 0.9)
    with pytest.raises(DeepLabError, match="float64"):
        ops.sgd_update(x, x.double(), x.clone(), 0.1, 0.9)
    with pytest.raises(DeepLabError, match="not contiguous"):
        ops.regularize(torch.zeros(2, 2).T, torch.zeros(2, 2))
