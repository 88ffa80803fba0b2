"""Convolution in bf16 on the CPU by kernels of our own: which instructions, and their packed weights.

By default nets in bf16 run torch's operators: no machine with these instructions has been measured yet.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from ..threads import thread_count
from ..types import Shape
from .checks import check
from .geometry import ConvGeometry
from .memory import empty

# Processors' instructions: VDPBF16PS, TDPBF16PS.
BF16_INSTRUCTIONS = ("avx512", "amx")
# What convolves: torch's operators; those instructions; plain code with the same bits, for tests.
BF16_KERNELS = ("torch", *BF16_INSTRUCTIONS, *(f"{name}_plain" for name in BF16_INSTRUCTIONS))
VARIABLE = "DEEPLAB_CAFFE_BF16"

_chosen: ContextVar[str | None] = ContextVar("_chosen", default=None)


def bf16_kernels() -> str:
    """What nets in bf16 that are made now will convolve with on the CPU, of BF16_KERNELS.

    As DEEPLAB_CAFFE_BF16 says, or `choose_bf16_kernels`; "torch" by default. Raises DeepLabError for what is
    unknown or not to be had.
    """
    chosen = _chosen.get()
    where, name = ("bf16 kernels", chosen) if chosen else (VARIABLE, os.environ.get(VARIABLE) or "torch")
    if name != "torch":
        bf16_way(name, where, BF16_KERNELS)
    return name


def bf16_way(name: str, where: str, wanted: Sequence[str] = BF16_KERNELS[1:]) -> "_C.Bf16Way":
    """The native module's word for kernels of our own; DeepLabError if there are none of that name."""
    if name not in wanted:
        raise DeepLabError(f"{where}: {name} given, one of {', '.join(wanted)} wanted")
    if not has_bf16_kernels(name):
        raise DeepLabError(f"{where}: {name} given, this processor (or build) has no such instructions")
    return getattr(_C.Bf16Way, name)


def has_bf16_kernels(name: str) -> bool:
    """Whether this processor, build and system have kernels of BF16_KERNELS."""
    return name == "torch" or _C.has_bf16_way(getattr(_C.Bf16Way, name))


@contextmanager
def choose_bf16_kernels(name: str) -> Iterator[None]:
    """Within, nets are made with these kernels, of BF16_KERNELS; they keep them."""
    token = _chosen.set(name)
    try:
        bf16_kernels()
        yield
    finally:
        _chosen.reset(token)


def pack_bf16_weights(weights: Tensor, threads: int | None = None) -> Tensor:
    """Weights [out, in, kh, kw] rounded to bf16, in the kernels' order: a flat float32 tensor of pairs."""
    weights = check("pack_bf16_weights", weights, 4)
    packed = empty(bf16_weights_size(tuple(weights.shape)), weights.device)
    geometry = ConvGeometry.of_weights(tuple(weights.shape)).native()
    _C.pack_bf16_weights(geometry, weights.data_ptr(), packed.data_ptr(), thread_count(threads))
    return packed


def bf16_weights_size(shape: Shape) -> int:
    """The number of values that `pack_bf16_weights` makes."""
    return _C.bf16_weights_size(ConvGeometry.of_weights(shape).native())
