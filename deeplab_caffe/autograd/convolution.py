"""Convolution with an optional ReLU behind it, forwards and backwards with this project's kernels."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .. import ops
from ..types import plane
from .accumulation import place_to_add

if TYPE_CHECKING:
    from ..layers.convolution import Convolution


class ConvolutionFunction(torch.autograd.Function):
    """One bottom of a Convolution layer, with the bits of its forward; gradients in the original's order."""

    @staticmethod
    def forward(
        ctx: Any, layer: "Convolution", relu: Any, x: Tensor, weights: Tensor, bias: Tensor | None
    ) -> Tensor:
        """relu: the layer ReLU that is done in the same pass, or None."""
        x = x.contiguous()
        (shape,) = layer.shape([tuple(x.shape)])
        y = torch.empty(shape, device=x.device)
        layer.forward([x], [y], () if relu is None else (relu,))
        rows, columns = layer.padding(tuple(x.shape[2:]))
        ctx.geometry = {
            "stride": layer.stride,
            "pad": (rows[0], columns[0]),
            "dilation": layer.dilation,
            "groups": layer.groups,
            "threads": layer.context.threads,
        }
        ctx.slope = None if relu is None else relu.slope
        ctx.bias_shape = None if bias is None else bias.shape
        ctx.parameters = weights, bias
        ctx.save_for_backward(x, weights, None if relu is None else y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """See torch.autograd.Function."""
        x, weights, y = ctx.saved_tensors
        _, _, needs_x, needs_weights, needs_bias = ctx.needs_input_grad
        dy = dy.contiguous()
        if ctx.slope == 0:
            dy = torch.ops.aten.threshold_backward(dy, y, 0)
        elif ctx.slope is not None:
            dy = torch.where(y > 0, dy, ctx.slope * dy)
        dx = dw = db = None
        if needs_x:
            dx = ops.conv_data_gradient(dy, weights, plane(x.shape), **ctx.geometry)
        if needs_weights:
            total = place_to_add(ctx.parameters[0])
            dw = ops.conv_weight_gradient(x, dy, plane(weights.shape), **ctx.geometry, out=total)
            dw = dw if total is None else torch.zeros_like(dw)
        if needs_bias:
            total = place_to_add(ctx.parameters[1])
            db = ops.channel_sums(dy, ctx.geometry["threads"], None if total is None else total.view(-1))
            db = (db if total is None else torch.zeros_like(db)).view(ctx.bias_shape)
        return None, None, dx, dw, db
