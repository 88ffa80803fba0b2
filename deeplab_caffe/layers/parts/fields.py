"""Fields that several layers read alike."""

from typing import Any

from ...types import Pair
from ..base import Layer


def pair(layer: Layer, param: Any, field: str, least: int = 0, default: int | None = None) -> Pair:
    """(rows, columns) from `field` of a message: one number, one per axis, or its fields of `_h` and `_w`.

    default: of a field that is not given; None: it must be. Raises DeepLabError that names the layer and the
    field, also for numbers below `least`.
    """
    stem = field.removesuffix("_size")
    high, wide = f"{stem}_h", f"{stem}_w"
    known = param.DESCRIPTOR.fields_by_name
    single = [name for name in (high, wide) if name in known and param.HasField(name)]
    value = getattr(param, field)
    numbers = ([value] if param.HasField(field) else []) if isinstance(value, int) else list(value)
    if single:
        if numbers:
            raise layer.error(field, f"given together with {high} or {wide}")
        if least and len(single) == 1:
            raise layer.error(field, f"{high} and {wide} wanted, only one given")
        numbers = [getattr(param, high), getattr(param, wide)]
    elif not numbers and default is not None:
        numbers = [default]
    if not numbers:
        raise layer.error(field, "missing")
    if len(numbers) > 2:
        raise layer.error(field, f"{len(numbers)} numbers given, 1 or 2 wanted")
    for number in numbers:
        if not least <= number < 2**31:
            raise layer.error(field, f"{number} given, at least {least} and below 2^31 wanted")
    return numbers[0], numbers[-1]
