"""Any layer as a differentiable function: its forward's values, its formula's gradients."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..ops.devices import torch_precision

if TYPE_CHECKING:
    from ..layers import Layer


def layer_function(layer: "Layer", bottoms: list[Tensor]) -> list[Tensor]:
    """`layer`'s tops; differentiable where it has a formula, elsewhere a gradient is an error.

    In the fast precisions the formula itself is the forward.
    """
    blobs: list[Tensor] = [blob.tensor for blob in layer.blobs]
    exact = layer.context.precision == "exact" and all(x.dtype == torch.float32 for x in (*bottoms, *blobs))
    if not exact:
        tops = layer.formula(bottoms, blobs)
        if tops is not None:
            return tops
    if any(x.requires_grad for x in (*bottoms, *blobs)):
        return list(_LayerFunction.apply(layer, len(bottoms), *bottoms, *blobs))
    return _forward(layer, bottoms)


def _forward(layer: "Layer", bottoms: list[Tensor]) -> list[Tensor]:
    """The values of Layer.forward, in new memory."""
    bottoms = [bottom.to(torch.float32).contiguous() for bottom in bottoms]
    shapes = layer.shape([tuple(bottom.shape) for bottom in bottoms])
    tops = [torch.empty(shape, device=layer.context.device) for shape in shapes]
    layer.compute(bottoms, tops)
    return tops


class _LayerFunction(torch.autograd.Function):
    """Layer.forward, with the gradient of Layer.formula, evaluated again on the way back."""

    @staticmethod
    def forward(ctx: Any, layer: "Layer", count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.layer, ctx.count = layer, count
        ctx.save_for_backward(*tensors)
        return tuple(_forward(layer, list(tensors[:count])))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        layer, wanted = ctx.layer, ctx.needs_input_grad[2:]
        if all(gradient is None for gradient in gradients):
            return (None,) * (2 + len(wanted))
        with torch.enable_grad(), torch_precision(layer.context.precision):
            tensors = [
                x.detach().requires_grad_(needed) for x, needed in zip(ctx.saved_tensors, wanted, strict=True)
            ]
            tops = layer.formula(tensors[: ctx.count], tensors[ctx.count :])
            if tops is None:
                raise layer.error("bottom", "the layer has no gradient, so none can pass through it")
        pairs = [
            (top, gradient.to(top.dtype))
            for top, gradient in zip(tops, gradients, strict=True)
            if gradient is not None and top.requires_grad
        ]
        inputs = [x for x in tensors if x.requires_grad]
        if not pairs:
            return (None,) * (2 + len(wanted))
        outputs, gradients = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(outputs, inputs, gradients, allow_unused=True))
        return (None, None, *(next(found) if x.requires_grad else None for x in tensors))
