"""Where an op runs, decided once by its tensors' device: the CPU, a GPU, or the host's emulator of one."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from .. import _C
from ..errors import DeepLabError
from ..threads import thread_count


class Backend(ABC):
    """A native module and how to call its kernels."""

    # Whether its kernels are those for a GPU, wherever they run.
    is_gpu = True

    @property
    @abstractmethod
    def native(self) -> ModuleType:
        """The module; DeepLabError if this build has none."""

    @abstractmethod
    def executor(self, device: torch.device, threads: int | None = None) -> Any:
        """What kernels take last: the number of CPU threads, or the Stream they join."""

    def tensor_cores(self, device: torch.device) -> tuple[bool, int]:
        """Whether the kernels for sm_90a can run on a device, and its number of multiprocessors."""
        raise DeepLabError("tensor_core_conv: only a GPU has tensor cores, the input is on the CPU")


class _CPU(Backend):
    is_gpu = False
    native = _C

    @override
    def executor(self, device: torch.device, threads: int | None = None) -> int:
        return thread_count(threads)


class _CUDA(Backend):
    def __init__(self, variant: str = "") -> None:
        self._variant = variant

    @property
    @override
    def native(self) -> ModuleType:
        return _cuda_module(self._variant)

    @override
    def executor(self, device: torch.device, threads: int | None = None) -> Any:
        stream = torch.cuda.current_stream(device)
        return self.native.Stream(stream.device.index, stream.cuda_stream)

    @override
    def tensor_cores(self, device: torch.device) -> tuple[bool, int]:
        return _card(device)


class _Emulated(Backend):
    """The CUDA kernels on the host, see csrc/platform/emulator; its device is the CPU."""

    def __init__(self, variant: str = "") -> None:
        self._variant = variant

    @property
    @override
    def native(self) -> ModuleType:
        return _variant_module("_cuda_emulated", self._variant)

    @override
    def executor(self, device: torch.device, threads: int | None = None) -> Any:
        return self.native.Stream(0, 0)

    @override
    def tensor_cores(self, device: torch.device) -> tuple[bool, int]:
        return True, 132  # as an H100 has


@cache
def _cuda(variant: str) -> Backend:
    return _CUDA(variant)


@cache
def _emulated(variant: str) -> Backend:
    return _Emulated(variant)


CPU, CUDA, EMULATED = _CPU(), _cuda(""), _emulated("")
# The form of the CUDA kernels; see cuda_variant.
_WHOLE_PROCESS = os.environ.get("DEEPLAB_CAFFE_CUDA_VARIANT", "")
_variant: ContextVar[str] = ContextVar("_variant", default=_WHOLE_PROCESS)
# Where ops of CPU tensors run, given the form of the kernels; see emulated_cuda.
_of_cpu_tensors: ContextVar[Callable[[str], Backend]] = ContextVar(
    "_of_cpu_tensors", default=lambda variant: CPU
)


def backend_of(device: torch.device) -> Backend:
    """The backend for tensors on `device`; DeepLabError if there is none."""
    if device.type == "cpu":
        return _of_cpu_tensors.get()(_variant.get())
    if device.type == "cuda":
        return _cuda(_variant.get())
    raise DeepLabError(f"{device} given, cpu or cuda wanted")


def kernels(x: Tensor, threads: int | None = None) -> tuple[ModuleType, Any]:
    """The native module for the device that `x` is on, and what its kernels take last."""
    backend = backend_of(x.device)
    return backend.native, backend.executor(x.device, threads)


def isa() -> str:
    """The instruction set of the CPU kernels: portable, avx2 or avx512 (DEEPLAB_CAFFE_ISA forces one)."""
    try:
        return _C.isa()
    except ValueError as error:
        raise DeepLabError(str(error)) from None


isa()  # what DEEPLAB_CAFFE_ISA forces is checked before the first kernel runs


def _variant_module(base: str, variant: str) -> ModuleType:
    return import_module("_".join([f"deeplab_caffe.{base}", *filter(None, [variant])]))


@cache
def _cuda_module(variant: str) -> ModuleType:
    try:
        return _variant_module("_cuda", variant)
    except ImportError as error:
        raise DeepLabError(
            "cuda: this installation has no CUDA kernels; install it again where nvcc is "
            f"({str(error).splitlines()[0]})"
        ) from None


@cache
def _card(device: torch.device) -> tuple[bool, int]:
    found = torch.cuda.get_device_properties(device)
    wgmma = (found.major, found.minor) == (9, 0) and "90a" in cuda_targets()
    return wgmma, found.multi_processor_count


def cuda_targets() -> list[str]:
    """What the CUDA kernels are compiled for: "80", "90a", "120+PTX" (and whatever comes after it)."""
    return _cuda(_variant.get()).native.TARGETS.split(",")


@contextmanager
def emulated_cuda() -> Iterator[None]:
    """For tests: within, CPU tensors go to the CUDA kernels, run on the host by csrc/platform/emulator."""
    with _cpu_tensors_go_to(_emulated):
        yield


@contextmanager
def cuda_variant(name: str) -> Iterator[None]:
    """For measurements: within, GPU tensors go to another form of the kernels, of VARIANTS in build_ninja.py.

    "": today's. DEEPLAB_CAFFE_CUDA_VARIANT names that of a whole process. The results are the same bits.
    """
    token = _variant.set(name)
    try:
        yield
    finally:
        _variant.reset(token)


@contextmanager
def on_host() -> Iterator[None]:
    """Within, CPU tensors go to the CPU's kernels, whatever `emulated_cuda` said."""
    with _cpu_tensors_go_to(lambda variant: CPU):
        yield


@contextmanager
def _cpu_tensors_go_to(backend: Callable[[str], Backend]) -> Iterator[None]:
    token = _of_cpu_tensors.set(backend)
    try:
        yield
    finally:
        _of_cpu_tensors.reset(token)
