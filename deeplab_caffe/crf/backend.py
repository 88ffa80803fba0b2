"""Where a CRF's arrays live: numpy's on the CPU, torch's on a GPU. torch is loaded for the latter only."""

import sys
from types import ModuleType
from typing import Any

from ..errors import DeepLabError
from . import cpu_ops

Array = Any  # numpy.ndarray or torch.Tensor
# A torch.device, or its name; None and "cpu" are the CPU.
Device = Any


def find_device(device: Device) -> Device:
    """The torch.device of a GPU, or None for the CPU; DeepLabError for a name that is neither.

    In ops.emulated_cuda every GPU is the CPU's torch.device.
    """
    if device is None or str(device) == "cpu":
        return None
    import torch

    from ..ops import is_gpu
    from ..ops.devices import usable_device

    cpu = torch.device("cpu")
    if is_gpu(cpu) and str(device).startswith("cuda"):
        return cpu
    return usable_device(device)


def device_of(x: Array) -> Device:
    """The GPU that a tensor is on; None for anything else."""
    return x.device if is_tensor(x) and x.is_cuda else None


def ops_of(device: Device) -> ModuleType:
    """The CRF's ops for the result of find_device: of one signature, for numpy arrays or for tensors."""
    if device is None:
        return cpu_ops
    from . import gpu_ops

    return gpu_ops


def is_tensor(x: Array) -> bool:
    """Whether x is a torch tensor; torch need not be there."""
    return "torch" in sys.modules and isinstance(x, sys.modules["torch"].Tensor)


def to_device(name: str, x: Array, device: Device) -> Array:
    """Numbers of any kind as a float32 tensor on the device."""
    import numpy as np
    import torch

    if not is_tensor(x):
        x = np.asarray(x)
        if x.dtype.kind not in "fiub":
            raise DeepLabError(f"{name}: numbers wanted: {x.dtype} given")
        if x.dtype != np.uint8:  # bytes are fewer to send
            with np.errstate(over="ignore"):
                x = x.astype(np.float32, copy=False)
        x = torch.from_numpy(np.require(x, requirements=["C", "W"]))
    return x.detach().to(device).to(torch.float32)
