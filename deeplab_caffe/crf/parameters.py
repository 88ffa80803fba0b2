"""The parameters of the dense CRF as the DeepLab authors use it: a Gaussian and a bilateral kernel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, TypedDict

from ..errors import DeepLabError

Std = float | Sequence[float]

# The standard deviations of the authors' example.
POS_STD, BI_XY_STD, BI_RGB_STD = 3.0, 50.0, 10.0


# What the kernels count to.
MOST_ITERATIONS = 2**31 - 1


def lacking(field: str, value: float) -> str | None:
    """What is wanted in place of a number that a field of CRFParameters does not allow; None: it does."""
    value = _as_float(value)
    if field == "iterations":
        if value > MOST_ITERATIONS:
            return f"at most {MOST_ITERATIONS}"
        return None if value >= 0 else "0 or more"
    if field.endswith("_std"):
        return None if math.isfinite(value) and value > 0 else "a number above 0"
    return None if math.isfinite(value) else "a finite number"


def shown(value: float) -> str:
    """The number for an error, however large it is."""
    return f"{_as_float(value):.10g}"


def _as_float(value: float) -> float:
    """A whole number beyond all floats as an infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def check_iterations(iterations: int) -> None:
    """DeepLabError for a number of iterations that cannot be."""
    if wanted := lacking("iterations", iterations):
        raise DeepLabError(f"{shown(iterations)} iterations: {wanted} wanted")


@dataclass(frozen=True)
class CRFParameters:
    """Mean-field iterations, and each kernel's standard deviations and weight; those of the authors' example.

    Standard deviations are in pixels (pos_std, bi_xy_std: one number, or x and y) and in the image's units
    (bi_rgb_std: one number, or one a channel). A kernel of weight 0 is left out. Raises DeepLabError for a
    value out of range.
    """

    iterations: int = 10
    pos_std: Std = POS_STD
    pos_w: float = 3.0
    bi_xy_std: Std = BI_XY_STD
    bi_rgb_std: Std = BI_RGB_STD
    bi_w: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            several = not isinstance(value, Real)
            for one in value if several else [value]:
                if wanted := lacking(field.name, one):
                    raise DeepLabError(f"{field.name} {shown(one)}: {wanted} wanted")


class Changes(TypedDict, total=False):
    """Fields of CRFParameters with other values."""

    iterations: int
    pos_std: Std
    pos_w: float
    bi_xy_std: Std
    bi_rgb_std: Std
    bi_w: float


# The authors' own numbers, which programs of theirs have as defaults.
AUTHORS = CRFParameters()
# Zheng et al. (2015) train through 5 iterations: more cost memory and time, and change little.
CRF_AS_RNN = CRFParameters(iterations=5)
# The bundled CamVid model was evaluated with these; weights/README.md has the numbers.
CAMVID = CRFParameters(iterations=5, bi_xy_std=20.0, bi_rgb_std=3.0)

# What a search tries values of, in this order.
KERNEL_FIELDS = tuple(field.name for field in fields(CRFParameters) if field.name != "iterations")
