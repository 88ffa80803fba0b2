"""Devices as a user names them, and what torch tells of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import DeepLabError
from .backend import backend_of, cuda_targets


def usable_device(device: str | torch.device) -> torch.device:
    """The device by its name ("cpu", "cuda", "cuda:1"), with its number if it is a GPU.

    In `emulated_cuda` every GPU is the CPU. Raises DeepLabError if there is no such device, or no kernels for
    it.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise DeepLabError(f"device: {device} given, cpu, cuda or cuda:NUMBER wanted") from None
    if found.type not in ("cpu", "cuda"):
        raise DeepLabError(f"device: {device} given, cpu, cuda or cuda:NUMBER wanted")
    cpu = torch.device("cpu")
    if found.type == "cpu" or backend_of(cpu).is_gpu:
        return cpu
    if not torch.cuda.is_available():
        raise DeepLabError(f"device: {device} given, but torch {torch.__version__} finds no GPU here")
    number = torch.cuda.current_device() if found.index is None else found.index
    if number >= torch.cuda.device_count():
        raise DeepLabError(f"device: {device} given, but there are only {torch.cuda.device_count()} GPUs")
    capability = torch.cuda.get_device_capability(number)
    targets = cuda_targets()
    if not any(runs_on(target, capability) for target in targets):
        name = f"{torch.cuda.get_device_name(number)} (sm_{capability[0]}{capability[1]})"
        raise DeepLabError(f"device: this installation has kernels for {', '.join(targets)}, not for {name}")
    return torch.device("cuda", number)


def runs_on(target: str, capability: tuple[int, int]) -> bool:
    """Whether code for `target` ("80", "90a", "120+PTX") runs on a GPU of that compute capability."""
    code, _, ptx = target.partition("+")
    number = int(code.rstrip("af"))
    major, minor = divmod(number, 10)
    if code.endswith("a"):
        return (major, minor) == capability
    return (major == capability[0] and minor <= capability[1]) or (bool(ptx) and (major, minor) <= capability)


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory that torch can still give out."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


# What CUDA graphs know the addresses of.
_of_graphs: dict[int, Any] = {}


def keep_for_graphs(owner: Any, device: torch.device) -> None:
    """Keeps what owns memory on `device` for good if a CUDA graph is being captured: it knows addresses."""
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        _of_graphs[id(owner)] = owner


@contextmanager
def torch_precision(precision: str) -> Iterator[None]:
    """Within, torch's convolutions on a GPU use TF32 only if that is the precision; always the same bits."""
    allow = precision == "tf32"
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=allow):
        yield
