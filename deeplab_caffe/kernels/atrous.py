"""Atrous convolution as a function: ints or pairs, any device, gradients, packed weights."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from ..errors import DeepLabError
from . import arguments, atrous_ops
from .packed import PackedWeights, pack

Numbers = int | Sequence[int]
NAME = "atrous_conv2d"


def atrous_conv2d(
    x: Tensor,
    weight: Tensor | PackedWeights,
    bias: Tensor | None = None,
    *,
    rate: Numbers = 1,
    padding: Numbers | Literal["same", "valid"] = 0,
    stride: Numbers = 1,
    groups: int = 1,
    precision: str = "exact",
) -> Tensor:
    """Convolution with holes (Chen et al., "DeepLab", 2016, section 3.1), by this package's kernels.

    x: [batch, channels, height, width]; weight: [out, channels / groups, kh, kw], or `atrous_conv2d.pack`
    of it, which brings its groups and precision; bias: [out]. rate, padding, stride: one number, or (rows,
    columns); rate is the dilation, DeepLab's `hole`; padding "same" keeps height and width at stride 1,
    "valid" is 0. Returns [batch, out, h, w] of x's type.

    precision: "exact" sums in the original program's order, the same bits on every device and with any
    number of threads; "fp32", "tf32", "bf16", "fp16" use a GPU's tensor cores (on the CPU fp32 is exact and
    the others are refused). Tensors are float32, for bf16 and fp16 they may be of that type; what tensor
    cores compute is in channels-last memory. Differentiable in x, weight and bias, any number of times; on
    the CPU gradients have the original's order of sums, on a GPU they are torch's. Works in
    torch.compile(fullgraph=True), on meta tensors and, from torch 2.5 on, in vmap. Raises DeepLabError for
    what does not fit together, and for a gradient through packed weights.
    """
    arguments.tensor(f"{NAME}: x", x, [4], "[batch, channels, height, width]")
    strides = arguments.pair(f"{NAME}: stride", stride, 1)
    rates = arguments.pair(f"{NAME}: rate", rate, 1)
    groups = arguments.whole(f"{NAME}: groups", groups, 1)
    arguments.known_precision(NAME, precision)
    if bias is not None:
        arguments.tensor(f"{NAME}: bias", bias, [1], "[out]")
    plain = not isinstance(weight, PackedWeights)
    if plain:
        arguments.tensor(f"{NAME}: weight", weight, [4], "[out, channels / groups, kh, kw]")
    kernel = weight.shape[2], weight.shape[3]
    if padding == "same":
        if strides != (1, 1):
            raise DeepLabError(f"{NAME}: padding 'same' with stride {strides}, stride 1 wanted")
        pads = rates[0] * (kernel[0] - 1) // 2, rates[1] * (kernel[1] - 1) // 2
        size = [x.shape[2], x.shape[3]]
    else:
        pads = arguments.pair(f"{NAME}: padding", 0 if padding == "valid" else padding, 0)
        size = []
    window = strides, pads, rates
    if isinstance(weight, PackedWeights):
        if groups not in (1, weight.groups) or precision not in ("exact", weight.precision):
            held = f"weights packed for {weight.groups} groups in {weight.precision}"
            raise DeepLabError(f"{NAME}: {held}, {groups} groups in {precision} wanted")
        arguments.no_gradient(f"{NAME}: x, with packed weights,", x, "give the weight unpacked")
        if bias is not None:
            arguments.no_gradient(f"{NAME}: bias, with packed weights,", bias, "give the weight unpacked")
        rest = weight.shape, weight.groups, size, weight.precision, weight.by_tap
        return atrous_ops.conv_packed(x, weight.values, bias, *window, *rest)
    return atrous_ops.conv(x, weight, bias, *window, groups, size, precision)


atrous_conv2d.pack = pack  # type: ignore[attr-defined]
