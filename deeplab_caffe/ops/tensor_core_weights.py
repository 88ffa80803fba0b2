"""Weights as the tensor-core kernels read them."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from .. import _C
from ..errors import DeepLabError
from ..types import Shape
from .checks import refuse_gradient
from .geometry import ConvGeometry

# What the tensors of each precision are. tf32 rounds float32 operands to 10 bits behind the point; fp32 makes
# three tf32 products, whose error is near that of float32 sums.
TENSOR_CORE_DTYPES = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "tf32": torch.float32,
    "fp32": torch.float32,
}


@dataclass(frozen=True)
class TensorCoreWeights:
    """A convolution's weights as the tensor-core kernels read them, and its bias; see `pack_tensor_core`.

    values: [part, group, chunk, padded channel, 128 bytes]; bias: float32 [group, padded channel] or None;
    shape: that of the plain weights; plans: those of the latest launches, on their device. by_tap: the values
    are those of a 1x1 convolution whose outputs are [tap, padded channel], to be summed tap by tap.
    """

    values: Tensor
    bias: Tensor | None
    shape: Shape
    groups: int
    precision: str
    by_tap: bool = False
    plans: dict[Any, Any] = field(default_factory=dict, compare=False)


def round_tf32(x: Tensor) -> Tensor:
    """float32 values rounded to the nearest tf32 (10 bits behind the point), ties away from zero."""
    rounded = (x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF
    return torch.where(x.isfinite(), rounded.view(torch.float32), x)


def tensor_core_type(precision: str) -> "_C.TensorCoreType":
    """The kernels' name of a precision; DeepLabError if there is none."""
    if precision not in TENSOR_CORE_DTYPES:
        known = ", ".join(TENSOR_CORE_DTYPES)
        raise DeepLabError(f"tensor_core_conv: precision {precision} given, one of {known} wanted")
    return getattr(_C.TensorCoreType, precision)


def pack_tensor_core(
    weights: Tensor,
    bias: Tensor | None = None,
    groups: int = 1,
    precision: str = "bf16",
    by_tap: bool | None = None,
) -> TensorCoreWeights:
    """Packs weights float32 [out, in / groups, kh, kw] (and bias [out]) once, on the device they are on.

    precision: bf16, fp16, tf32 or fp32. The kernels copy pieces of the packed weights to shared memory as
    they are: 128 bytes of (tap, input channel) of each output channel, whose 16-byte units lie so that the
    matrix instructions read them without bank conflicts (unit u of channel n at place u ^ n % 8).

    by_tap: whether to multiply every input position with the weights of all taps and to sum what an output's
    taps gave after that, in float32: then the input is read once, not once a tap. By default so for few
    outputs of many channels, as where DeepLab's pyramid ends in labels; for one group only.
    """
    kind = tensor_core_type(precision)
    refuse_gradient("pack_tensor_core", weights)
    if weights.dtype != torch.float32 or weights.dim() != 4:
        given = f"{weights.dim()}-dimensional {weights.dtype}"
        raise DeepLabError(f"pack_tensor_core: {given} weights given, 4-dimensional float32 wanted")
    shape = tuple(weights.shape)
    geometry = ConvGeometry.of_weights(shape, groups).native()
    if bias is not None and bias.numel() != shape[0]:
        raise DeepLabError(f"pack_tensor_core: {bias.numel()} biases given, {shape[0]} wanted")
    layout = _C.TensorCoreBranch(geometry, kind)
    rows, padded = shape[0] // groups, layout.padded_channels
    if bias is not None:
        bias = pad(bias.float().reshape(groups, rows), (0, padded - rows)).contiguous()
    if by_tap is None:
        # A tap's float32 products are written and read once, 8 bytes an output; the input is not read again.
        taps = shape[2] * shape[3]
        by_tap = groups == 1 and taps > 1 and rows <= 32 and shape[1] >= 8 * padded and taps * padded <= 1024
    if by_tap:
        flat = pad(weights, (0, 0, 0, 0, 0, 0, 0, padded - rows)).permute(2, 3, 0, 1)
        flat = flat.reshape(-1, shape[1], 1, 1)
        layout = _C.TensorCoreBranch(ConvGeometry.of_weights(tuple(flat.shape)).native(), kind)
        return TensorCoreWeights(_swizzled(flat, 1, precision, layout), bias, shape, groups, precision, True)
    return TensorCoreWeights(_swizzled(weights, groups, precision, layout), bias, shape, groups, precision)


def _swizzled(weights: Tensor, groups: int, precision: str, layout: "_C.TensorCoreBranch") -> Tensor:
    out, channels, kernel_h, kernel_w = weights.shape
    unit = 16 // TENSOR_CORE_DTYPES[precision].itemsize
    w = weights.reshape(groups, out // groups, channels, kernel_h * kernel_w).transpose(2, 3)
    w = pad(w, (0, layout.period * unit - channels)).flatten(2)
    extra = layout.padded_channels - out // groups
    w = pad(w, (0, layout.chunks * 8 * unit - w.shape[2], 0, extra))
    w = w.view(groups, layout.padded_channels // 8, 8, layout.chunks, 8, unit).permute(0, 3, 1, 2, 4, 5)
    places = torch.arange(8, device=w.device)
    w = w[:, :, :, places.view(8, 1), places.view(8, 1) ^ places]
    if precision == "fp32":
        high = round_tf32(w)
        return torch.stack([high, round_tf32(w - high)]).contiguous()
    return (round_tf32(w) if precision == "tf32" else w.to(TENSOR_CORE_DTYPES[precision])).contiguous()
