"""Which backend a CRF computes with: decided here, once. torch is loaded for a GPU only."""

from typing import Any

from .arrays import Array, is_tensor
from .backend import Backend, CPUBackend

# A torch.device or its name, None for the CPU, or the Backend that another object has chosen.
Device = Any


def backend_for(device: Device) -> Backend:
    """The backend for a device; DeepLabError for a name that is neither cpu nor a GPU that is there.

    In ops.emulated_cuda every GPU is the CPU's torch.device.
    """
    if isinstance(device, Backend):
        return device
    if device is None or str(device) == "cpu":
        return CPUBackend()
    from ..ops.devices import usable_device
    from .gpu_backend import GPUBackend

    return GPUBackend(usable_device(device))


def backend_of(x: Array) -> Backend:
    """The backend of the device that a tensor is on; that of the CPU for anything else."""
    if not is_tensor(x):
        return CPUBackend()
    from .. import ops
    from .gpu_backend import GPUBackend

    return GPUBackend(x.device) if ops.backend_of(x.device).is_gpu else CPUBackend()
