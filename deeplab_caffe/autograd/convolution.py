"""Convolution with an optional ReLU behind it, forwards and backwards with this project's kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

from .. import ops
from .accumulation import place_to_add


class ConvolutionFunction(torch.autograd.Function):
    """A convolution with the bits of `convolve`; gradients in the original's order of sums."""

    @staticmethod
    @override
    def forward(
        ctx: Any,
        convolve: Callable[[Tensor], Tensor],
        geometry: ops.ConvGeometry,
        slope: float | None,
        threads: int | None,
        x: Tensor,
        weights: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        """convolve(x): with these weights and bias, and a ReLU of `slope` behind it unless that is None."""
        x = x.contiguous()
        y = convolve(x)
        ctx.geometry, ctx.threads = geometry, threads
        ctx.slope, ctx.bias_shape = slope, None if bias is None else bias.shape
        ctx.parameters = weights, bias
        ctx.save_for_backward(x, weights, y if slope is not None else None)
        return y

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weights, y = ctx.saved_tensors
        *_, needs_x, needs_weights, needs_bias = ctx.needs_input_grad
        dy = dy.contiguous()
        if ctx.slope == 0:
            dy = torch.ops.aten.threshold_backward(dy, y, 0)
        elif ctx.slope is not None:
            dy = torch.where(y > 0, dy, ctx.slope * dy)
        g, threads = ctx.geometry, ctx.threads
        window = g.stride, g.pad, g.dilation, g.groups, threads
        dx = dw = db = None
        if needs_x:
            dx = ops.conv_data_gradient(dy, weights, g.in_size, *window)
        if needs_weights:
            total = place_to_add(ctx.parameters[0])
            dw = ops.conv_weight_gradient(x, dy, g.kernel, *window, out=total)
            dw = dw if total is None else torch.zeros_like(dw)
        if needs_bias:
            total = place_to_add(ctx.parameters[1])
            db = ops.channel_sums(dy, threads, None if total is None else total.view(-1))
            db = (db if total is None else torch.zeros_like(db)).view(ctx.bias_shape)
        return None, None, None, None, dx, dw, db
