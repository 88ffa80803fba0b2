"""Twins of ops.solver_update: in place, too."""

import torch

from tests.reference.eltwise import fma

Tensor = torch.Tensor


def _rounded(value: float, like: Tensor) -> Tensor:
    """A scalar in the tensors' own precision."""
    return torch.tensor(value, dtype=like.dtype)


def _axpby(alpha: Tensor, x: Tensor, beta: Tensor, y: Tensor) -> Tensor:
    return fma(alpha, x, beta * y)


def _root(x: Tensor) -> Tensor:
    """The square root rounded once; torch's own may be off by a last bit."""
    return x.double().sqrt().to(x.dtype)


def regularize(
    gradient: Tensor,
    weight: Tensor,
    clip: float = 1.0,
    share: float = 1.0,
    decay: float = 0.0,
    l1: bool = False,
) -> None:
    """See ops.regularize."""
    gradient.mul_(clip).mul_(share)
    if decay:
        gradient.copy_(fma(_rounded(decay, weight), weight.sign() if l1 else weight, gradient))


def sum_of_squares(x: Tensor) -> float:
    """See ops.sum_of_squares."""
    return x.double().square().sum().item()


def sgd_update(weight: Tensor, gradient: Tensor, history: Tensor, rate: float, momentum: float) -> None:
    """See ops.sgd_update."""
    history.copy_(_axpby(_rounded(rate, weight), gradient, _rounded(momentum, weight), history))
    weight.sub_(history)


def nesterov_update(weight: Tensor, gradient: Tensor, history: Tensor, rate: float, momentum: float) -> None:
    """See ops.nesterov_update."""
    before, keep = history.clone(), _rounded(momentum, weight)
    history.copy_(_axpby(_rounded(rate, weight), gradient, keep, history))
    weight.sub_(_axpby(1 + keep, history, -keep, before))


def adagrad_update(weight: Tensor, gradient: Tensor, history: Tensor, rate: float, delta: float) -> None:
    """See ops.adagrad_update."""
    history.copy_(gradient * gradient + history)
    weight.sub_(_rounded(rate, weight) * (gradient / (_root(history) + _rounded(delta, weight))))


def rmsprop_update(
    weight: Tensor, gradient: Tensor, history: Tensor, rate: float, rms_decay: float, delta: float
) -> None:
    """See ops.rmsprop_update."""
    keep = _rounded(rms_decay, weight)
    history.copy_(_axpby(1 - keep, gradient * gradient, keep, history))
    weight.sub_(_rounded(rate, weight) * (gradient / (_root(history) + _rounded(delta, weight))))


def adadelta_update(
    weight: Tensor,
    gradient: Tensor,
    gradients: Tensor,
    updates: Tensor,
    rate: float,
    momentum: float,
    delta: float,
) -> None:
    """See ops.adadelta_update."""
    keep, small = _rounded(momentum, weight), _rounded(delta, weight)
    gradients.copy_(_axpby(1 - keep, gradient * gradient, keep, gradients))
    update = gradient * _root((small + updates) / (small + gradients))
    updates.copy_(_axpby(1 - keep, update * update, keep, updates))
    weight.sub_(_rounded(rate, weight) * update)


def adam_update(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    rate: float,
    momentum: float,
    momentum2: float,
    delta: float,
) -> None:
    """See ops.adam_update."""
    keep, keep2 = _rounded(momentum, weight), _rounded(momentum2, weight)
    mean.copy_(_axpby(1 - keep, gradient, keep, mean))
    square.copy_(_axpby(1 - keep2, gradient * gradient, keep2, square))
    weight.sub_(_rounded(rate, weight) * (mean / (_root(square) + _rounded(delta, weight))))
