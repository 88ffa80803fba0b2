"""Numbers on the command line: what an option allows, checked where it is declared."""

import math

import typer

from ..errors import DeepLabError
from ..threads import check_threads

# What Caffe's fields and the kernels count to; what seeds are; what a byte holds beside void (255).
MOST_ITERATIONS, MOST_SEED, MOST_LABELS = 2**31 - 1, 2**63 - 1, 255
# Far above any score map's channels.
MOST_CLASSES = 65_536


def finite(parameter: typer.CallbackParam, value: float | None) -> float | None:
    """Callback of an option: a DeepLabError for NaN and infinities, which `min` and `max` let pass."""
    if value is not None and not math.isfinite(value):
        raise DeepLabError(f"{parameter.opts[-1]} {value}: a finite number wanted")
    return value


def threads(parameter: typer.CallbackParam, value: int | None) -> int | None:
    """Callback of an option: a DeepLabError for more threads than the system gives."""
    if value is not None:
        check_threads(value, parameter.opts[-1])
    return value


def whole(text: str, most: int) -> int | None:
    """A whole number from 1 to `most` of plain digits; None for anything else."""
    plain = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if plain and 1 <= int(text) <= most else None


def several(text: str, option: str) -> tuple[float, ...]:
    """ "1,2.5" of an option as numbers; DeepLabError for anything else."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise DeepLabError(f"{option} {text}: numbers with commas between wanted")
    return numbers
