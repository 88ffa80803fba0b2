"""Weights packed once, for many convolutions."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .. import ops
from ..errors import DeepLabError
from ..types import Shape
from . import arguments


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights as the kernels of their device read them; what `atrous_conv2d.pack` gives.

    values: the packed numbers, on the device that convolves; shape: that of the plain weights [out, in /
    groups, kh, kw]; by_tap: see ops.TensorCoreWeights. Immutable: later changes of the plain weights do not
    reach it.
    """

    values: Tensor
    shape: Shape
    groups: int = 1
    precision: str = "exact"
    by_tap: bool = False

    @property
    def device(self) -> torch.device:
        """Where it convolves."""
        return self.values.device


def on_tensor_cores(device: torch.device, precision: str) -> bool:
    """Whether tensor cores convolve; DeepLabError where this precision needs them and there are none."""
    if precision == "exact" or device.type == "meta":
        return False
    if ops.backend_of(device).is_gpu:
        return True
    if precision == "fp32":
        return False
    raise DeepLabError(
        f"atrous_conv2d: precision {precision} needs a GPU's tensor cores; exact or fp32 wanted on {device}"
    )


def pack(weight: Tensor, *, groups: int = 1, precision: str = "exact") -> PackedWeights:
    """Packs weights [out, in / groups, kh, kw] (float32, bfloat16 or float16) on the device they are on.

    `atrous_conv2d` does so in every call with plain weights; this spares it where the same weights are used
    again. precision: as in `atrous_conv2d`; on the CPU, fp32 is exact. There is no gradient through packed
    weights: raises DeepLabError for a weight that wants one, unless gradients are off (torch.no_grad()).
    """
    arguments.tensor("atrous_conv2d.pack: weight", weight, [4], "[out, in / groups, kh, kw]")
    groups = arguments.whole("atrous_conv2d.pack: groups", groups, 1)
    arguments.known_precision("atrous_conv2d.pack", precision)
    arguments.no_gradient("atrous_conv2d.pack: weight", weight, "weight.detach(), or give it unpacked")
    return packed_weights(weight.detach(), groups, precision)


def packed_weights(weight: Tensor, groups: int, precision: str) -> PackedWeights:
    """`pack` of what has been checked."""
    shape = tuple(weight.shape)
    if on_tensor_cores(weight.device, precision):
        cores = ops.pack_tensor_core(weight.float(), None, groups, precision)
        return PackedWeights(cores.values, shape, groups, precision, cores.by_tap)
    packed = PackedWeights(ops.pack_weights(weight, groups), shape, groups)
    return replace(packed, precision=precision)
