"""The lattice filter as a differentiable torch function of the filtered values."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

from ..errors import DeepLabError
from .arrays import Array
from .backend import Backend
from .lattice import Lattice, Normalization


def lattice_filter(values: Tensor, lattice: Lattice, normalization: Normalization = "none") -> Tensor:
    """The Gaussian filter of values (points, channels), differentiable in the values.

    float32 or float64. Raises DeepLabError for another number of points or type.
    """
    if values.dim() != 2:
        raise DeepLabError(f"lattice_filter: values {tuple(values.shape)} given, (points, channels) wanted")
    return _Filter.apply(values, lattice, *lattice.norms(normalization))


class _Filter(torch.autograd.Function):
    """y = after * F(before * x); its gradient is before * F^T(after * dy)."""

    @staticmethod
    @override
    def forward(
        ctx: Any, values: Tensor, lattice: Lattice, before: Array | None, after: Array | None
    ) -> Tensor:
        ctx.lattice, ctx.before, ctx.after = lattice, before, after
        return filter_values(values, lattice, before, after)

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return filter_values(gradient, ctx.lattice, ctx.after, ctx.before, adjoint=True), None, None, None


def filter_values(
    values: Tensor,
    lattice: Lattice,
    before: Array | None,
    after: Array | None,
    adjoint: bool = False,
) -> Tensor:
    """after * F(before * values), or with the adjoint of F; the factors are the lattice's `norms`."""
    filtered = lattice.filter(lattice.backend.of_tensor(values), before, adjoint)
    if after is not None:
        filtered = filtered * after[:, None]
    return like(lattice.backend, filtered, values)


def like(backend: Backend, x: Array, tensor: Tensor) -> Tensor:
    """What an op of the backend gave, on the tensor's device."""
    return backend.result(x, as_numpy=False).to(tensor.device)
