"""The context of a net's layers, from what the caller of Net says."""

import torch

from .. import ops
from ..errors import DeepLabError
from ..layers import Context
from ..layers.parameters.weight_memory import WeightMemory
from ..ops.devices import usable_device
from ..threads import check_threads

PRECISIONS = ("exact", "fp32", "bf16")
GPU_PRECISIONS = ("exact", "fp32", "tf32", "bf16", "fp16")


def precisions(device: torch.device) -> tuple[str, ...]:
    """The precisions a net can have on a device."""
    return GPU_PRECISIONS if ops.backend_of(device).is_gpu else PRECISIONS


def make_context(phase: str, device: str | torch.device, precision: str, threads: int | None) -> Context:
    """The context; raises DeepLabError for what there is not."""
    if phase not in ("train", "test"):
        raise DeepLabError(f"phase: {phase} given, train or test wanted")
    found = usable_device(device)
    if precision not in precisions(found):
        raise DeepLabError(
            f"precision: {precision} given, on {found.type} one of {', '.join(precisions(found))} wanted"
        )
    if threads is not None and threads < 1:
        raise DeepLabError(f"threads: {threads} given, at least 1 wanted")
    if threads is not None:
        check_threads(threads)
    own = ops.bf16_kernels() if precision == "bf16" and not ops.backend_of(found).is_gpu else "torch"
    return Context(phase, found, precision, threads, bf16_kernels=own)


def make_weight_memory(limit: int | None, context: Context) -> WeightMemory | None:
    """The memory for streamed weights, of `limit` bytes; None for None."""
    if limit is None:
        return None
    if limit < 0:
        raise DeepLabError(f"weight_memory: {limit} given, at least 0 wanted")
    if not context.runs_forward or context.device.type != "cpu":
        place = f"{context.precision} on {context.device.type}"
        raise DeepLabError(f"weight_memory: weights are streamed in exact and fp32 on cpu, not {place}")
    return WeightMemory(limit)
