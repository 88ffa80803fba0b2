"""Ops over the labels of each position."""

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from .backend import kernels
from .checks import around_axis, check, output


def softmax(x: Tensor, axis: int = 1, *, threads: int | None = None, out: Tensor | None = None) -> Tensor:
    """Softmax along `axis`: the maximum subtracted, exponentials (`exp`) added up, then divided by the sum.

    The sum goes in label order where there are up to 16384 positions and 48 labels (not 4), else in groups,
    as in the original's BLAS; csrc/pixelwise/softmax.h tells the order. `out` may be `x`.
    """
    x = check("softmax", x)
    sizes = around_axis("softmax", x, axis)
    out = output("softmax", out, x.shape, x)
    if x.numel():
        native, executor = kernels(x, threads)
        native.softmax(x.data_ptr(), out.data_ptr(), *sizes, executor)
    return out


def argmax(x: Tensor, axis: int = 1, top_k: int = 1, *, threads: int | None = None) -> tuple[Tensor, Tensor]:
    """The `top_k` indices along `axis` by falling value, as float32, and their values.

    Of equal values the one with the highest index comes first. Both results have top_k in place of the axis.
    """
    x = check("argmax", x)
    outer, size, inner = around_axis("argmax", x, axis)
    if not 1 <= top_k <= size:
        raise DeepLabError(f"argmax: top_k {top_k} of {size} values")
    shape = list(x.shape)
    shape[axis] = top_k
    labels, values = (torch.empty(shape, device=x.device) for _ in range(2))
    native, executor = kernels(x, threads)
    sizes = outer, size, inner, top_k, executor
    native.argmax(x.data_ptr(), labels.data_ptr(), values.data_ptr(), *sizes)
    return labels, values


def softmax_loss(
    probability: Tensor,
    label: Tensor,
    weight: Tensor | None = None,
    ignore: tuple[int, ...] = (),
    axis: int = 1,
) -> tuple[float, float, int]:
    """Sum over positions, in order, of -weight[label] * log(max(probability[label], FLT_MIN)).

    probability: softmax's result; label: one value per position, integers in float32; weight: (labels), 1 if
    None; positions whose label is in `ignore` are left out. Returns the sum, the sum of the weights (both
    added up in float32) and the number of positions counted. Raises DeepLabError for a label out of range.
    Runs on the host, whatever the device.
    """
    probability, label = check("softmax_loss", probability).cpu(), label.cpu()
    outer, channels, inner = around_axis("softmax_loss", probability, axis)
    label = check("softmax_loss: label", label, count=outer * inner)
    weight = (
        torch.ones(channels)
        if weight is None
        else check("softmax_loss: weight", weight.cpu(), count=channels)
    )
    ignored = torch.tensor(ignore, dtype=torch.int32)
    sums, count = torch.empty(2), torch.empty(1, dtype=torch.int64)
    bad = _C.softmax_loss(
        probability.data_ptr(),
        label.data_ptr(),
        weight.data_ptr(),
        ignored.data_ptr(),
        len(ignore),
        sums.data_ptr(),
        count.data_ptr(),
        outer,
        channels,
        inner,
    )
    if bad >= 0:
        raise DeepLabError(f"label {label.flatten()[bad].item():g} found, 0 to {channels - 1} wanted")
    return sums[0].item(), sums[1].item(), int(count.item())
