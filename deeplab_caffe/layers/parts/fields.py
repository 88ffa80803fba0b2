"""Fields that several layers read alike."""

from typing import Any

from ...types import Pair
from ..base import Layer


def pair(layer: Layer, param: Any, field: str, least: int = 0, default: int | None = None) -> Pair:
    """(rows, columns) from `field` of a message. See `numbers`."""
    found = numbers(layer, param, field, least, default)
    if len(found) > 2:
        raise layer.error(field, f"{len(found)} numbers given, 1 or 2 wanted")
    return found[0], found[-1]


def numbers(
    layer: Layer, param: Any, field: str, least: int = 0, default: int | None = None
) -> tuple[int, ...]:
    """`field` of a message: one number, one for each axis, or its fields of `_h` and `_w`.

    default: of a field that is not given; None: it must be. Raises DeepLabError that names the layer and the
    field, also for numbers below `least`.
    """
    stem = field.removesuffix("_size")
    high, wide = f"{stem}_h", f"{stem}_w"
    known = param.DESCRIPTOR.fields_by_name
    single = [name for name in (high, wide) if name in known and param.HasField(name)]
    value = getattr(param, field)
    found = ([value] if param.HasField(field) else []) if isinstance(value, int) else list(value)
    if single:
        if found:
            raise layer.error(field, f"given together with {high} or {wide}")
        if least and len(single) == 1:
            raise layer.error(field, f"{high} and {wide} wanted, only one given")
        found = [getattr(param, high), getattr(param, wide)]
    elif not found and default is not None:
        found = [default]
    if not found:
        raise layer.error(field, "missing")
    for number in found:
        if not least <= number < 2**31:
            raise layer.error(field, f"{number} given, at least {least} and below 2^31 wanted")
    return tuple(found)
