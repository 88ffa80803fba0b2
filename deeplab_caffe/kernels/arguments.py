"""What the public functions ask of their arguments, told in one line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DeepLabError
from ..types import Pair

MOST = 2**31 - 1  # of what the kernels count in 32 bits
PRECISIONS = ("exact", "fp32", "tf32", "bf16", "fp16")


def pair(where: str, value: Any, least: int) -> Pair:
    """(rows, columns) of one whole number for both, or of two; `where` names function and argument."""
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(values) != 2 or not all(_is_whole(v, least) for v in values):
        raise DeepLabError(f"{where} {value!r}: a whole number of {least} or more wanted, or two")
    return int(values[0]), int(values[1])


def whole(where: str, value: Any, least: int) -> int:
    """`value` if it is a whole number of at least that."""
    if not _is_whole(value, least):
        raise DeepLabError(f"{where} {value!r}: a whole number of {least} or more wanted")
    return int(value)


def _is_whole(value: Any, least: int) -> bool:
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return number and least <= value <= MOST


def tensor(where: str, x: Any, dims: Sequence[int], meaning: str) -> Tensor:
    """`x` if it is a tensor with one of these numbers of dimensions; meaning: what they are."""
    if not isinstance(x, Tensor):
        kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
        hint = f": torch.from_numpy({where.split()[-1]})" if kind == "numpy.ndarray" else ""
        raise DeepLabError(f"{where}: {kind} given, a torch.Tensor wanted{hint}")
    if x.dim() not in dims:
        raise DeepLabError(f"{where}: {tuple(x.shape)} given, {meaning} wanted")
    if x.layout != torch.strided:
        raise DeepLabError(f"{where}: {x.layout} given, a dense tensor wanted")
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
