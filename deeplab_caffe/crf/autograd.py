"""Training through the dense CRF: the lattice filter and the mean field as differentiable torch functions.

Gradients flow to filtered values, unary energies and kernel weights, not to the features of a lattice: an
image's colours and the standard deviations are constants. float32 runs the CRF's own kernels, so that forward
passes have the bits of `DenseCRF`; its approximate exponential is differentiated as the exponential that it
approximates. float64 is plain and slow, with the true exponential, for checks such as
torch.autograd.gradcheck.
Lattices on a GPU filter there, float32 only; those on the CPU filter tensors of any device on the CPU.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

from ..errors import DeepLabError
from . import cpu_ops
from .backend import Backend, CPUBackend
from .filter_autograd import filter_values, lattice_filter, like
from .lattice import Lattice, Normalization


class Kernel(NamedTuple):
    """One Gaussian kernel of a mean field.

    weight: a number or tensor () supports each label by weight * its filtered marginals; (labels) does so
    with a weight for each label; (labels, labels) is a penalty [from, to] times the filtered marginals of
    `from` on the label `to`. normalization: see DenseCRF.add.
    """

    lattice: Lattice
    weight: Tensor | float
    normalization: Normalization = "after"


def mean_field(
    unary: Tensor,
    kernels: Sequence[Kernel],
    iterations: int = 10,
    *,
    true_exp: bool = False,
    threads: int | None = None,
) -> Tensor:
    """Marginals (points, labels) after mean-field iterations, differentiable in energies and weights.

    unary: energies (points, labels), float32 or float64. A forward pass in float32 has the bits of
    DenseCRF.infer with the same kernels (a weight per label or a matrix being its `compatibility`, of weight
    1). Each iteration keeps its marginals for the backward pass (Zheng et al. 2015, "Conditional random
    fields as recurrent neural networks"). Raises DeepLabError for shapes that do not fit.
    """
    _check(unary, kernels, iterations)
    run = _Run(_backend(kernels), unary, true_exp, threads)
    q = _Start.apply(unary, run)
    for _ in range(iterations):
        q = _Step.apply(unary, q, kernels, run, *_weights(kernels, unary))
    run.check(unary)
    return q


def mean_field_logits(
    unary: Tensor,
    kernels: Sequence[Kernel],
    iterations: int = 10,
    *,
    true_exp: bool = False,
    threads: int | None = None,
) -> Tensor:
    """Logits (points, labels) whose softmax is `mean_field`: what a loss with its own softmax takes.

    Marginals reach exactly 0, where the gradient of their logarithm has no value; logits do not.
    """
    if iterations < 1:
        return -unary
    q = mean_field(unary, kernels, iterations - 1, true_exp=true_exp, threads=threads)
    return _logits(unary, kernels, q, _weights(kernels, unary), lattice_filter)


def dense_crf_loss(
    probabilities: Tensor,
    lattice: Lattice,
    mask: Tensor | None = None,
    normalization: Normalization = "none",
) -> Tensor:
    """The relaxed energy of a dense CRF's Potts model: sum over labels of s^T W (1 - s), a number.

    A loss for training with scribbles, points or tags: neighbours of like colour that differ in label cost
    (Tang et al. 2018, "On regularized losses for weakly-supervised CNN segmentation"). W is the lattice's
    filter, s a label's probabilities. probabilities: (points, labels), float32 or float64; mask:
    (points), 0 where pixels are to take no part (padding, borders). `none` is the paper's energy, which grows
    with the number of pixels times their neighbours; `symmetric` divides the latter out.
    """
    if probabilities.dim() != 2:
        raise DeepLabError(f"dense_crf_loss: {tuple(probabilities.shape)} given, (points, labels) wanted")
    absent = 1 - probabilities
    if mask is not None:
        if mask.numel() != len(probabilities):
            raise DeepLabError(f"dense_crf_loss: mask of {mask.numel()}, {len(probabilities)} points wanted")
        mask = mask.reshape(-1, 1).to(probabilities)
        probabilities, absent = probabilities * mask, absent * mask
    return (probabilities * lattice_filter(absent, lattice, normalization)).sum()


class _Run:
    """How one mean field in float32 computes: with the ops of its lattices' backend."""

    def __init__(self, backend: Backend, unary: Tensor, true_exp: bool, threads: int | None) -> None:
        self.backend, self._bad = backend, backend.ops.bad_point(unary)
        self._options = {"true_exp": true_exp, "threads": threads, "bad": self._bad}

    def start(self, unary: Tensor) -> Tensor:
        q = self.backend.ops.mean_field_start(self.backend.of_tensor(unary), **self._options)
        return like(self.backend, q, unary)

    def step(self, kernels: list[cpu_ops.Pairwise], unary: Tensor, q: Tensor) -> Tensor:
        x, start = self.backend.of_tensor(unary), self.backend.copy(self.backend.of_tensor(q))
        return like(
            self.backend, self.backend.ops.mean_field_iterate(kernels, x, start, 1, **self._options), unary
        )

    def check(self, unary: Tensor) -> None:
        self.backend.ops.check_points(self._bad, unary)


class _Start(torch.autograd.Function):
    """q = softmax(-unary)."""

    @staticmethod
    @override
    def forward(ctx: Any, unary: Tensor, run: _Run) -> Tensor:
        q = torch.softmax(-unary, 1) if unary.dtype == torch.float64 else run.start(unary)
        ctx.save_for_backward(q)
        return q

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return -_through_softmax(ctx.saved_tensors[0], gradient), None


class _Step(torch.autograd.Function):
    """q' = softmax(-unary + sum of kernels of q): one mean-field iteration.

    With dt the gradient of the logits and h = before * F^T(after * dt), one adjoint filter a kernel gives
    all: dq += h times the weight, and (since <F(q), dt> = <q, F^T(dt)>) the weight's gradient is q times h.
    """

    @staticmethod
    @override
    def forward(
        ctx: Any,
        unary: Tensor,
        q: Tensor,
        kernels: Sequence[Kernel],
        run: _Run,
        *weights: Tensor,
    ) -> Tensor:
        if unary.dtype == torch.float64:
            result = torch.softmax(_logits(unary, kernels, q, weights, _normalized), 1)
        else:
            native = [_native(kernel, weight) for kernel, weight in zip(kernels, weights, strict=True)]
            result = run.step(native, unary, q)
        ctx.kernels = kernels
        ctx.save_for_backward(q, result, *weights)
        return result

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, result, *weights = ctx.saved_tensors
        needs_unary, needs_q, *_ = ctx.needs_input_grad
        needs_weights = ctx.needs_input_grad[4:]
        logits = _through_softmax(result, gradient)
        dq = torch.zeros_like(q) if needs_q else None
        dweights: list[Tensor | None] = []
        for kernel, weight, needs_weight in zip(ctx.kernels, weights, needs_weights, strict=True):
            dweight = None
            if needs_q or needs_weight:
                before, after = kernel.lattice.norms(kernel.normalization)
                filtered = filter_values(logits, kernel.lattice, after, before, adjoint=True)
                matrix = weight.dim() == 2
                if needs_q:
                    dq += -filtered @ weight.T if matrix else filtered * weight
                if needs_weight:
                    dweight = -q.T @ filtered if matrix else (q * filtered).sum(0)
                    dweight = dweight if weight.dim() else dweight.sum()
            dweights.append(dweight)
        return -logits if needs_unary else None, dq, None, None, *dweights


def _logits(
    unary: Tensor,
    kernels: Sequence[Kernel],
    q: Tensor,
    weights: Sequence[Tensor],
    apply: Callable[[Tensor, Lattice, Normalization], Tensor],
) -> Tensor:
    logits = -unary
    for kernel, weight in zip(kernels, weights, strict=True):
        filtered = apply(q, kernel.lattice, kernel.normalization)
        logits = logits + (-filtered @ weight if weight.dim() == 2 else filtered * weight)
    return logits


def _through_softmax(q: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the logits that q is the softmax of."""
    return q * (gradient - (q * gradient).sum(1, keepdim=True))


def _native(kernel: Kernel, weight: Tensor) -> cpu_ops.Pairwise:
    """The kernel as `DenseCRF.add` makes it, so that the bits are the same."""
    before, after = kernel.lattice.norms(kernel.normalization)
    backend = kernel.lattice.backend
    ones = torch.ones(kernel.lattice.points, device=backend.device)
    scale = backend.of_tensor(ones) if after is None else after
    value = backend.of_tensor(weight)
    if weight.dim() == 0:
        return cpu_ops.Pairwise(kernel.lattice.native, scale * value, before)
    if weight.dim() == 1:
        return cpu_ops.Pairwise(kernel.lattice.native, scale, before, value)
    return cpu_ops.Pairwise(kernel.lattice.native, scale, before, None, -value)


def _normalized(values: Tensor, lattice: Lattice, normalization: Normalization) -> Tensor:
    return filter_values(values, lattice, *lattice.norms(normalization))


def _weights(kernels: Sequence[Kernel], like: Tensor) -> list[Tensor]:
    return [torch.as_tensor(kernel.weight, dtype=like.dtype, device=like.device) for kernel in kernels]


def _check(unary: Tensor, kernels: Sequence[Kernel], iterations: int) -> None:
    if unary.dim() != 2 or unary.dtype not in (torch.float32, torch.float64):
        raise DeepLabError(
            f"mean_field: unary {tuple(unary.shape)} {unary.dtype} given, (points, labels) of float32 wanted"
        )
    if iterations < 0:
        raise DeepLabError(f"mean_field: {iterations} iterations, 0 or more wanted")
    points, labels = unary.shape
    for number, kernel in enumerate(kernels):
        if kernel.lattice.points != points:
            raise DeepLabError(
                f"mean_field: kernel {number} has {kernel.lattice.points} points, {points} wanted"
            )
        shape = tuple(torch.as_tensor(kernel.weight).shape)
        if shape not in {(), (labels,), (labels, labels)}:
            raise DeepLabError(
                f"mean_field: kernel {number} has weights {shape}; "
                f"(), ({labels}) or ({labels}, {labels}) wanted"
            )


def _backend(kernels: Sequence[Kernel]) -> Backend:
    """That of the kernels' lattices, all of them; the CPU's without kernels."""
    backends = {kernel.lattice.device: kernel.lattice.backend for kernel in kernels}
    if len(backends) > 1:
        raise DeepLabError(f"mean_field: lattices on {' and '.join(map(str, backends.values()))}")
    return next(iter(backends.values()), None) or CPUBackend()
