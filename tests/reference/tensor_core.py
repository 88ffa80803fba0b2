"""The twin of ops.tensor_core: operands rounded as the precision says, the rest in double."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from deeplab_caffe.ops.epilogue import EpilogueOp
from deeplab_caffe.types import Pair
from tests.reference.convolution import apply

Tensor = torch.Tensor


def round_operand(x: Tensor, precision: str) -> Tensor:
    """float32 values as the tensor cores multiply them: bf16, fp16, tf32, or (fp32) as they are; float64."""
    if precision in ("bf16", "fp16"):
        return x.to(torch.bfloat16 if precision == "bf16" else torch.float16).double()
    if precision == "fp32":
        return x.double()
    mantissa, exponent = torch.frexp(x.double())
    scaled = mantissa * 2048  # 11 bits before the point
    return torch.ldexp(torch.sign(scaled) * torch.floor(scaled.abs() + 0.5) / 2048, exponent)


def tensor_core_conv(
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None = None,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[EpilogueOp] = (),
    size: Pair | None = None,
    precision: str = "bf16",
) -> Tensor:
    """See ops.tensor_core_conv; weights [out, in / groups, kh, kw] and bias are plain. Returns float64."""
    height, width = x.shape[2:]
    kernel_h, kernel_w = weights.shape[2:]
    out_h, out_w = size or (
        (height + 2 * pad[0] - dilation[0] * (kernel_h - 1) - 1) // stride[0] + 1,
        (width + 2 * pad[1] - dilation[1] * (kernel_w - 1) - 1) // stride[1] + 1,
    )
    behind_h = (out_h - 1) * stride[0] + dilation[0] * (kernel_h - 1) + 1 - height - pad[0]
    behind_w = (out_w - 1) * stride[1] + dilation[1] * (kernel_w - 1) + 1 - width - pad[1]
    padded = F.pad(round_operand(x, precision), (pad[1], behind_w, pad[0], behind_h))
    w = round_operand(weights, precision)
    y = F.conv2d(padded, w, None if bias is None else bias.double(), stride, 0, dilation, groups)
    for op in epilogue:
        y = apply(in_double(op), y)
    return y


def in_double(op: EpilogueOp) -> EpilogueOp:
    """The op with its tensors in float64."""
    fields = vars(op).items()
    return replace(op, **{name: v.double() if isinstance(v, Tensor) else v for name, v in fields})
