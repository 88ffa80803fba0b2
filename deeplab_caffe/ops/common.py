"""What all ops share: argument checks, thread counts, addresses."""

import torch

from .. import _C
from ..errors import DeepLabError

Tensor = torch.Tensor


def isa() -> str:
    """The instruction set of the CPU kernels: portable, avx2 or avx512 (DEEPLAB_CAFFE_ISA forces one)."""
    try:
        return _C.isa()
    except ValueError as error:
        raise DeepLabError(str(error)) from None


def thread_count(threads: int | None) -> int:
    """The number of CPU threads to use: the one given, or torch's own setting."""
    return torch.get_num_threads() if threads is None else max(1, threads)


def check(name: str, x: Tensor, dims: int | None = None, count: int | None = None) -> Tensor:
    """`x`, contiguous, if it is float32 (and has `dims` dimensions, `count` values); else DeepLabError."""
    if x.dtype != torch.float32:
        raise DeepLabError(f"{name}: {x.dtype} given, float32 wanted")
    if dims is not None and x.dim() != dims:
        raise DeepLabError(f"{name}: {x.dim()} dimensions given, {dims} wanted")
    if count is not None and x.numel() != count:
        raise DeepLabError(f"{name}: {x.numel()} values given, {count} wanted")
    return x.contiguous()


def output(name: str, out: Tensor | None, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """`out` if it fits, else a new tensor of that shape."""
    if out is None:
        return torch.empty(shape, dtype=torch.float32, device=like.device)
    if tuple(out.shape) != tuple(shape) or out.dtype != torch.float32 or not out.is_contiguous():
        raise DeepLabError(
            f"{name}: out is {tuple(out.shape)} {out.dtype}, contiguous float32 {tuple(shape)} wanted"
        )
    return out


def around_axis(name: str, x: Tensor, axis: int) -> tuple[int, int, int]:
    """Number of values before, along and after `axis` (negative: from the end) of a contiguous `x`."""
    if not -x.dim() <= axis < x.dim():
        raise DeepLabError(f"{name}: no axis {axis} in {x.dim()} dimensions")
    axis %= x.dim()
    return x.shape[:axis].numel(), x.shape[axis], x.shape[axis + 1 :].numel()
