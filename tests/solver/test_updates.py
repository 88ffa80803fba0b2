import pytest
import torch

from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.solver.updates import Trained, Updater


def trained(values, gradient, **multipliers):
    tensor = torch.nn.Parameter(torch.tensor(values))
    tensor.grad = None if gradient is None else torch.tensor(gradient)
    return Trained(tensor, **multipliers)


def updater(**fields):
    return Updater(caffe_pb2.SolverParameter(**fields), threads=1)


def test_multipliers_decay_and_iter_size():
    one = trained([1.0, -2.0], [0.4, 0.8])
    two = trained([1.0, -2.0], [0.4, 0.8], lr_mult=2, decay_mult=0)
    rule = updater(weight_decay=0.1, iter_size=4)
    rule.update([one, two], 0.5, 0)
    assert one.values.tolist() == pytest.approx([1 - 0.5 * (0.1 + 0.1), -2 - 0.5 * (0.2 - 0.2)])
    assert two.values.tolist() == pytest.approx([1 - 1.0 * 0.1, -2 - 1.0 * 0.2])


def test_l1_decay():
    one = trained([1.0, -2.0, 0.0], [0.0, 0.0, 0.0])
    updater(weight_decay=0.1, regularization_type="L1").update([one], 0.5, 0)
    assert one.values.tolist() == pytest.approx([0.95, -1.95, 0])


def test_clipping_takes_the_length_of_all_gradients_before_they_are_shared():
    one, two = trained([0.0], [3.0]), trained([0.0, 0.0], [4.0, 0.0])
    updater(clip_gradients=1, iter_size=2, weight_decay=1).update([one, two], 1.0, 0)
    assert one.values.tolist() == pytest.approx([-0.3])
    assert two.values.tolist() == pytest.approx([-0.4, 0])
    short = trained([0.0], [3.0])
    updater(clip_gradients=3.5).update([short], 1.0, 0)
    assert short.values.tolist() == [-3.0]


def test_a_missing_gradient_is_zero():
    one = trained([2.0], None)
    updater(weight_decay=0.5).update([one], 0.1, 0)
    assert one.values.tolist() == pytest.approx([1.9])


def test_momentum_against_torch():
    """With a constant rate Caffe's rules are those of torch.optim, but for rounding."""
    kinds = {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        "Adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.01),
        "AdaGrad": lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-3, weight_decay=0.01),
        "RMSProp": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9, eps=1e-3, weight_decay=0.01),
        "AdaDelta": lambda p: torch.optim.Adadelta(p, lr=0.1, rho=0.9, eps=1e-3, weight_decay=0.01),
    }
    for kind, make in kinds.items():
        ours, theirs = trained([1.0, -2.0], None), trained([1.0, -2.0], None)
        rule = updater(type=kind, momentum=0.9, momentum2=0.99, rms_decay=0.9, delta=1e-3, weight_decay=0.01)
        optimizer = make([theirs.values])
        for iteration in range(6):
            for one in (ours, theirs):
                gradient = one.values.detach() ** 2 - 0.3 * iteration
                # Adam's epsilon counts before its correction in Caffe, after it in torch.
                one.values.grad = 1e3 * gradient if kind == "Adam" else gradient
            rule.update([ours], 0.1, iteration)
            optimizer.step()
        assert ours.values.tolist() == pytest.approx(theirs.values.tolist(), rel=1e-4), kind
        assert len(ours.history) == (2 if kind in ("Adam", "AdaDelta") else 1)


def test_nesterov_against_torch():
    ours, theirs = trained([1.0, -2.0], None), trained([1.0, -2.0], None)
    rule = updater(type="Nesterov", momentum=0.9)
    optimizer = torch.optim.SGD([theirs.values], lr=0.1, momentum=0.9, nesterov=True)
    for iteration in range(6):
        for one in (ours, theirs):
            one.values.grad = torch.tensor([0.3, -0.2]) * (iteration + 1)
        rule.update([ours], 0.1, iteration)
        optimizer.step()
    assert ours.values.tolist() == pytest.approx(theirs.values.tolist(), rel=1e-4)


def test_autograd_and_packed_copies_see_the_change():
    one = trained([1.0], [1.0])
    before = one.values._version
    updater().update([one], 0.1, 0)
    assert one.values._version > before
