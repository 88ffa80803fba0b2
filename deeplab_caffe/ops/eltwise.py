"""Ops that combine tensors of one shape."""

from torch import Tensor

from ..errors import DeepLabError
from .backend import kernels
from .checks import check, output

ELTWISE_OPERATIONS = ("prod", "sum", "max")


def eltwise(
    operation: str,
    bottoms: list[Tensor],
    coefficients: list[float],
    out: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """Combines two or more tensors of one shape, element by element, in order.

    "sum": from 0, y = fma(coefficient, x, y); "max": of the first two the second wins ties, a later one wins
    if strictly greater; "prod". `out` may be the first tensor itself, no other.
    """
    bottoms = [check("eltwise", bottom, like=bottoms[0]) for bottom in bottoms]
    if len(bottoms) < 2 or len(coefficients) != len(bottoms):
        raise DeepLabError(f"eltwise: {len(bottoms)} tensors and {len(coefficients)} coefficients given")
    if any(bottom.shape != bottoms[0].shape for bottom in bottoms):
        raise DeepLabError(f"eltwise: shapes differ: {[tuple(bottom.shape) for bottom in bottoms]}")
    out = output("eltwise", out, tuple(bottoms[0].shape), bottoms[0])
    native, executor = kernels(out, threads)
    native.eltwise(
        ELTWISE_OPERATIONS.index(operation),
        [bottom.data_ptr() for bottom in bottoms],
        coefficients,
        out.data_ptr(),
        out.numel(),
        executor,
    )
    return out
