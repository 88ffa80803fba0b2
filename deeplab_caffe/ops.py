"""The only importer of the extension: checks arguments, picks device and precision, passes addresses on.

Every op takes float32 tensors and returns one; `out` may name where to write. `threads` is the number of CPU
threads, None for torch's own setting. Its plain twin with the same signature is in reference.py.
"""

import torch

from . import _C
from .errors import DeepLabError


def isa() -> str:
    """The instruction set the CPU kernels run with: portable, avx2 or avx512 (DEEPLAB_CAFFE_ISA forces one)."""
    try:
        return _C.isa()
    except ValueError as error:
        raise DeepLabError(str(error)) from None


def _threads(threads: int | None) -> int:
    return torch.get_num_threads() if threads is None else max(1, threads)


def _check(name: str, x: torch.Tensor, dims: int | None = None) -> torch.Tensor:
    """`x` itself, if it is a contiguous float32 tensor (of `dims` dimensions)."""
    if x.dtype != torch.float32:
        raise DeepLabError(f"{name}: {x.dtype} given, float32 wanted")
    if dims is not None and x.dim() != dims:
        raise DeepLabError(f"{name}: {x.dim()} dimensions given, {dims} wanted")
    return x.contiguous()


def _output(name: str, out: torch.Tensor | None, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """`out` if it fits, else a new tensor of that shape."""
    if out is None:
        return torch.empty(shape, dtype=torch.float32, device=like.device)
    if tuple(out.shape) != tuple(shape) or out.dtype != torch.float32 or not out.is_contiguous():
        raise DeepLabError(
            f"{name}: out is {tuple(out.shape)} {out.dtype}, contiguous float32 {tuple(shape)} wanted"
        )
    return out


ELTWISE_OPERATIONS = ("prod", "sum", "max")


def eltwise(
    operation: str,
    bottoms: list[torch.Tensor],
    coefficients: list[float],
    out: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """Combines two or more tensors of one shape, element by element, in order.

    "sum": from 0, y = fma(coefficient, x, y); "max": of the first two the second wins ties, a later one wins
    if strictly greater; "prod". `out` may be the first tensor itself, no other.
    """
    bottoms = [_check("eltwise", bottom) for bottom in bottoms]
    if len(bottoms) < 2 or len(coefficients) != len(bottoms):
        raise DeepLabError(f"eltwise: {len(bottoms)} tensors and {len(coefficients)} coefficients given")
    if any(bottom.shape != bottoms[0].shape for bottom in bottoms):
        raise DeepLabError(f"eltwise: shapes differ: {[tuple(bottom.shape) for bottom in bottoms]}")
    out = _output("eltwise", out, tuple(bottoms[0].shape), bottoms[0])
    _C.eltwise(
        ELTWISE_OPERATIONS.index(operation),
        [bottom.data_ptr() for bottom in bottoms],
        coefficients,
        out.data_ptr(),
        out.numel(),
        _threads(threads),
    )
    return out
