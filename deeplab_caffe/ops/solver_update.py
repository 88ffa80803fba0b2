"""What a solver does to a parameter in one iteration; all of it in place, on flat views of the tensors."""

from math import fsum

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from .. import _C
from ..errors import DeepLabError
from .backend import kernels
from .checks import check


def regularize(
    gradient: Tensor,
    weight: Tensor,
    clip: float = 1.0,
    share: float = 1.0,
    decay: float = 0.0,
    l1: bool = False,
    *,
    threads: int | None = None,
) -> None:
    """gradient = gradient * clip * share + decay * weight, or decay * sign(weight) for L1."""
    _same("regularize", gradient, weight)
    native, executor = kernels(gradient, threads)
    values = clip, share, decay, l1, gradient.numel(), executor
    native.regularize(gradient.data_ptr(), weight.data_ptr(), *values)


def sum_of_squares(x: Tensor, *, threads: int | None = None) -> float:
    """The sum of the squares, in double, in one order on every device."""
    x = check("sum_of_squares", x)
    sums = torch.empty(-(-x.numel() // _C.SQUARES_CHUNK), dtype=torch.float64, device=x.device)
    native, executor = kernels(x, threads)
    native.chunk_squares(x.data_ptr(), sums.data_ptr(), x.numel(), executor)
    return fsum(sums.tolist())


def sgd_update(
    weight: Tensor,
    gradient: Tensor,
    history: Tensor,
    rate: float,
    momentum: float,
    *,
    threads: int | None = None,
) -> None:
    """history = rate * gradient + momentum * history; weight -= history."""
    _update("sgd_update", weight, gradient, history, values=(rate, momentum), threads=threads)


def nesterov_update(
    weight: Tensor,
    gradient: Tensor,
    history: Tensor,
    rate: float,
    momentum: float,
    *,
    threads: int | None = None,
) -> None:
    """As sgd_update, but weight -= (1 + momentum) * new history - momentum * old history."""
    _update("nesterov_update", weight, gradient, history, values=(rate, momentum), threads=threads)


def adagrad_update(
    weight: Tensor,
    gradient: Tensor,
    history: Tensor,
    rate: float,
    delta: float,
    *,
    threads: int | None = None,
) -> None:
    """history += gradient^2; weight -= rate * gradient / (sqrt(history) + delta)."""
    _update("adagrad_update", weight, gradient, history, values=(rate, delta), threads=threads)


def rmsprop_update(
    weight: Tensor,
    gradient: Tensor,
    history: Tensor,
    rate: float,
    rms_decay: float,
    delta: float,
    *,
    threads: int | None = None,
) -> None:
    """As adagrad_update, with a running mean: history = (1 - rms_decay) gradient^2 + rms_decay history."""
    _update("rmsprop_update", weight, gradient, history, values=(rate, rms_decay, delta), threads=threads)


def adadelta_update(
    weight: Tensor,
    gradient: Tensor,
    gradients: Tensor,
    updates: Tensor,
    rate: float,
    momentum: float,
    delta: float,
    *,
    threads: int | None = None,
) -> None:
    """gradients, updates: running means (by momentum) of squared gradients and updates.

    update = gradient * sqrt((updates + delta) / (gradients + delta)); weight -= rate * update.
    """
    values = rate, momentum, delta
    _update("adadelta_update", weight, gradient, gradients, updates, values=values, threads=threads)


def adam_update(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    rate: float,
    momentum: float,
    momentum2: float,
    delta: float,
    *,
    threads: int | None = None,
) -> None:
    """mean, square: running means (by momentum, momentum2) of the gradient and its square.

    weight -= rate * mean / (sqrt(square) + delta); `rate` holds the correction for the first iterations.
    """
    values = rate, momentum, momentum2, delta
    _update("adam_update", weight, gradient, mean, square, values=values, threads=threads)


def _update(name: str, *tensors: Tensor, values: tuple[float, ...], threads: int | None) -> None:
    _same(name, *tensors)
    weight = tensors[0]
    addresses = (tensor.data_ptr() for tensor in tensors)
    native, executor = kernels(weight, threads)
    getattr(native, name)(*addresses, *values, weight.numel(), executor)
    increment_version(weight)  # autograd, and whoever keeps a packed copy, must see the change


def _same(name: str, *tensors: Tensor) -> None:
    """All are written to or read in place: float32, contiguous, of one size."""
    for tensor in tensors:
        if check(name, tensor, count=tensors[0].numel(), like=tensors[0]).data_ptr() != tensor.data_ptr():
            raise DeepLabError(f"{name}: a tensor is not contiguous")
