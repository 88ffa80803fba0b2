"""Numbers as a source has them."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np


def text(value: Any) -> str:
    """A number as short as float32 allows; tuples of them; anything else as Python writes it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and not isfinite(value):
        return f'float("{value}")'
    if isinstance(value, float) and float(np.float32(value)) == value:
        return str(float(str(np.float32(value))))
    return f'"{value}"' if isinstance(value, str) else repr(value)


def square(pair: Sequence[int]) -> int | tuple[int, ...]:
    """One number for two that are equal."""
    return pair[0] if len(set(pair)) == 1 else tuple(pair)
