"""The module and place an op runs in: the CPU's kernels, CUDA's, or those on the host emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

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


# The module whose kernels CPU tensors are sent to in place of the CPU's; see emulated_cuda.
_emulated: ModuleType | None = None


def kernels(x: Tensor) -> ModuleType:
    """The native module with the kernels for the device that `x` is on; DeepLabError if there is none."""
    if x.device.type == "cpu":
        return _emulated or _C
    if x.device.type == "cuda":
        return cuda_kernels()
    raise DeepLabError(f"{x.device} given, cpu or cuda wanted")


def place(x: Tensor, threads: int | None) -> Any:
    """What kernels take last: the number of CPU threads, or torch's current stream of the tensor's device."""
    if x.device.type == "cuda":
        stream = torch.cuda.current_stream(x.device)
        return cuda_kernels().Stream(stream.device.index, stream.cuda_stream)
    return _emulated.Stream(0, 0) if _emulated else thread_count(threads)


@cache
def cuda_kernels() -> ModuleType:
    """The module of CUDA kernels, loaded on first use; DeepLabError if this build has none."""
    try:
        return import_module("deeplab_caffe._cuda")
    except ImportError as error:
        raise DeepLabError(
            "cuda: this installation has no CUDA kernels; install it again where nvcc is "
            f"({str(error).splitlines()[0]})"
        ) from None


def cuda_targets() -> list[str]:
    """What the CUDA kernels are compiled for: "80", "90a", "120+PTX" (and whatever comes after it)."""
    return cuda_kernels().TARGETS.split(",")


def is_gpu(device: torch.device) -> bool:
    """Whether ops of tensors on `device` run CUDA kernels."""
    return device.type == "cuda" or _emulated is not None


@contextmanager
def emulated_cuda() -> Iterator[None]:
    """For tests: within, CPU tensors go to the CUDA kernels, run on the host by csrc/cuda/emulator."""
    with _cpu_tensors_go_to(import_module("deeplab_caffe._cuda_emulated")):
        yield


@contextmanager
def on_host() -> Iterator[None]:
    """Within, CPU tensors go to the CPU's kernels, whatever `emulated_cuda` said."""
    with _cpu_tensors_go_to(None):
        yield


@contextmanager
def _cpu_tensors_go_to(module: ModuleType | None) -> Iterator[None]:
    global _emulated
    before, _emulated = _emulated, module
    try:
        yield
    finally:
        _emulated = before
