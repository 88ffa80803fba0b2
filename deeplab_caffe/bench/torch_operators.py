"""Layers without parameters as torch operators, the way they would be written by hand."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import DeepLabError
from ..layers import Layer
from ..layers.clip import Clip
from ..layers.eltwise import Eltwise
from ..layers.interp import Interp
from ..layers.padding import Padding
from ..layers.parts.same_padding import same_padding
from ..layers.scale import Scale
from ..types import Shape

Operator = Callable[..., Tensor]


def operator(layer: Layer, top: Shape) -> Operator | None:
    """The layer as a function of its bottoms, None where there is nothing to do; top: its first top's shape.

    Raises DeepLabError for a type that has none.
    """
    make = _OPERATORS.get(layer.type)
    if make is None:
        raise DeepLabError(f"the torch peer has no {layer.type} (layer '{layer.name}')")
    return make(layer, top)


def _in_place(layer: Layer) -> bool:
    return layer.definition.bottoms == layer.definition.tops


def _clip(layer: Clip, top: Shape) -> Operator:
    low, high = layer.low, layer.high
    return F.relu6 if (low, high) == (0, 6) else lambda x: x.clamp(low, high)


def _gate(layer: Scale, top: Shape) -> Operator:
    if len(layer.definition.bottoms) != 2 or layer.param.axis != 0:
        raise DeepLabError(f"the torch peer has no such Scale (layer '{layer.name}')")
    return lambda x, gate: x * gate.view(*gate.shape, *[1] * (x.dim() - gate.dim()))


def _interp(layer: Interp, top: Shape) -> Operator:
    size, corners = top[2:], not layer.half_pixel
    return lambda x, *_: F.interpolate(x, size, mode="bilinear", align_corners=corners)


def _eltwise(layer: Eltwise, top: Shape) -> Operator:
    if layer.operation == "max":
        return lambda *xs: torch.stack(xs).amax(0) if len(xs) > 2 else torch.maximum(*xs)
    return lambda first, *others: sum(others, first)


def _padding(layer: Padding, top: Shape) -> Operator:
    begin, end = layer.begin, layer.end
    return lambda x: F.pad(x, (begin, end, begin, end))


def _pooling(layer: Layer, top: Shape) -> Operator:
    pool = layer.definition.param.pooling_param
    if pool.global_pooling:
        return lambda x: (
            x.mean((2, 3), keepdim=True) if pool.pool == pool.AVE else x.amax((2, 3), keepdim=True)
        )
    size, ceil = (pool.kernel_size, pool.stride, pool.pad), pool.round_mode == pool.CEIL
    if pool.same_pad:

        def run(x: Tensor) -> Tensor:
            rows, columns = (same_padding(n, pool.kernel_size, pool.stride) for n in x.shape[2:])
            return F.max_pool2d(F.pad(x, (*columns, *rows), value=float("-inf")), *size[:2])

        return run
    if pool.pool == pool.MAX:
        return lambda x: F.max_pool2d(x, *size, ceil_mode=ceil)
    return lambda x: F.avg_pool2d(x, *size, ceil_mode=ceil)


def _copy(layer: Layer, top: Shape) -> Operator | None:
    return None if _in_place(layer) else lambda x: x


_OPERATORS: dict[str, Callable[[Any, Shape], Operator | None]] = {
    "Clip": _clip,
    "Concat": lambda layer, top: lambda *xs: torch.cat(xs, 1),
    "Dropout": _copy,
    "Eltwise": _eltwise,
    "Flatten": lambda layer, top: lambda x: x.flatten(1),
    "HardSigmoid": lambda layer, top: F.hardsigmoid,
    "HardSwish": lambda layer, top: F.hardswish,
    "Input": lambda layer, top: None,
    "Interp": _interp,
    "Padding": _padding,
    "Pooling": _pooling,
    "ReLU": lambda layer, top: torch.relu_ if _in_place(layer) else torch.relu,
    "Scale": _gate,
    "Softmax": lambda layer, top: lambda x: torch.softmax(x, 1),
    "Split": _copy,
}
