"""Caffe's fillers: the values parameters and DummyData start from, drawn from a torch generator.

The random ones follow Caffe's distributions, not its stream of random numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod, sqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import DeepLabError
from ...types import Shape

if TYPE_CHECKING:
    from .. import Layer

_MOST_SPAN = torch.finfo(torch.float32).max
FILLERS = ("constant", "uniform", "gaussian", "xavier", "msra", "positive_unitball", "bilinear")


@dataclass(frozen=True)
class Identity:
    """A filler of our own: `factor` on the diagonal of the last two axes, else 0."""

    factor: float


def fill(shape: Shape, filler: Any, generator: torch.Generator) -> Tensor:
    """A float32 tensor of `shape` after `filler`: a FillerParameter message, values, a number, Identity,
    or None (0).

    Raises DeepLabError for an unknown type, or a shape that the filler has no meaning for.
    """
    if filler is None or isinstance(filler, int | float):
        return torch.full(shape, float(filler or 0))
    if isinstance(filler, Tensor):
        return filler.clone()
    if isinstance(filler, Identity):
        return torch.eye(*shape[-2:]).mul_(filler.factor).expand(shape).clone()
    kind = filler.type
    if kind not in FILLERS:
        raise DeepLabError(f"unknown filler '{kind}'; known: {', '.join(FILLERS)}")
    if kind == "constant":
        return torch.full(shape, filler.value)
    out = torch.empty(shape)
    _check(filler)
    if kind == "uniform":
        return out.uniform_(filler.min, filler.max, generator=generator)
    if kind == "gaussian":
        out.normal_(filler.mean, filler.std, generator=generator)
        return _sparse(out, filler.sparse, generator)
    if kind == "xavier":
        bound = sqrt(3 / _fan(shape, filler))
        return out.uniform_(-bound, bound, generator=generator)
    if kind == "msra":
        return out.normal_(0, sqrt(2 / _fan(shape, filler)), generator=generator)
    if kind == "positive_unitball":
        out.uniform_(0, 1, generator=generator)
        rows = out.view(shape[0], -1)
        rows /= rows.sum(1, keepdim=True)
        return out
    return out.copy_(_bilinear(shape))


def _check(filler: Any) -> None:
    """DeepLabError for numbers that describe no distribution."""
    for field in ("min", "max", "mean", "std"):
        if not isfinite(getattr(filler, field)):
            raise DeepLabError(f"{field}: {getattr(filler, field)} given, a number wanted")
    if filler.type == "uniform" and not 0 <= filler.max - filler.min <= _MOST_SPAN:
        raise DeepLabError(f"min {filler.min:g}, max {filler.max:g}: from min to max is no range")
    if filler.type == "gaussian" and filler.std < 0:
        raise DeepLabError(f"std: {filler.std:g} given, 0 or more wanted")


def maker(layer: "Layer", i: int, shape: Shape, seed: int) -> Callable[[], Tensor]:
    """A function that draws parameter number `i` of `layer`, always the same values for one `seed`."""
    chosen = layer.fillers()
    filler = chosen[i] if i < len(chosen) else None
    return lambda: fill_for(layer, shape, filler, torch.Generator().manual_seed((seed * 16 + i) % 2**63))


def fill_for(layer: "Layer", shape: Shape, filler: Any, generator: torch.Generator) -> Tensor:
    """`fill`, with errors that name the layer."""
    try:
        return fill(shape, filler, generator)
    except DeepLabError as error:
        raise layer.error("filler", str(error)) from None


def _fan(shape: Shape, filler: Any) -> float:
    """Caffe's variance_norm: the number of inputs (default), outputs, or their average."""
    if not shape or not prod(shape):
        raise DeepLabError(f"no number of inputs and outputs in a blob of shape {shape}")
    fan_in = prod(shape) / shape[0]
    fan_out = prod(shape) / (shape[1] if len(shape) > 1 else 1)
    norm = {0: fan_in, 1: fan_out, 2: (fan_in + fan_out) / 2}
    return norm[filler.variance_norm]


def _sparse(out: Tensor, sparse: int, generator: torch.Generator) -> Tensor:
    """Keeps each value with the probability that leaves `sparse` non-zero inputs per output (-1: all)."""
    if sparse < 0:
        return out
    keep = torch.full(out.shape, min(1.0, sparse / out.shape[0]))
    return out.mul_(torch.bernoulli(keep, generator=generator))


def _bilinear(shape: Shape) -> Tensor:
    """The kernel of bilinear upsampling, for the square last two axes."""
    if len(shape) != 4 or shape[2] != shape[3]:
        raise DeepLabError(f"the bilinear filler wants a square 4-dimensional blob, not {shape}")
    size = shape[3]
    factor = (size + 1) // 2
    center = (2 * factor - 1 - factor % 2) / (2.0 * factor)
    weight = 1 - (torch.arange(size, dtype=torch.float32) / factor - center).abs()
    return weight[:, None] * weight[None, :]
