"""What the public functions ask of their arguments, told in one line."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import DeepLabError
from ..types import Pair

PRECISIONS = ("exact", "fp32", "tf32", "bf16", "fp16")


def pair(where: str, value: Any, least: int) -> Pair:
    """(rows, columns) of one whole number for both, or of two; `where` names function and argument."""
    values = (value, value) if isinstance(value, int) else value
    whole = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 2
    if not whole or not all(isinstance(v, int) and not isinstance(v, bool) and v >= least for v in values):
        raise DeepLabError(f"{where} {value!r}: a whole number of at least {least} wanted, or two")
    return values[0], values[1]


def tensor(where: str, x: Any, dims: Sequence[int], meaning: str) -> Tensor:
    """`x` if it is a tensor with one of these numbers of dimensions; meaning: what they are."""
    if not isinstance(x, Tensor):
        kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
        hint = f": torch.from_numpy({where.split()[-1]})" if kind == "numpy.ndarray" else ""
        raise DeepLabError(f"{where}: {kind} given, a torch.Tensor wanted{hint}")
    if x.dim() not in dims:
        raise DeepLabError(f"{where}: {tuple(x.shape)} given, {meaning} wanted")
    return x


def known_precision(where: str, precision: str) -> str:
    """`precision` if there is such a one."""
    if precision not in PRECISIONS:
        raise DeepLabError(f"{where}: precision {precision!r} given, one of {', '.join(PRECISIONS)} wanted")
    return precision


def no_gradient(where: str, x: Tensor, instead: str) -> None:
    """Refuses a tensor that wants a gradient where there is none."""
    if x.requires_grad and torch.is_grad_enabled():
        raise DeepLabError(f"{where} wants a gradient, which there is not: {instead}")
