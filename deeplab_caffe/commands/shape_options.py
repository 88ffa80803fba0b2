"""What the options --size and --shape say."""

from ..errors import DeepLabError
from .numbers import whole

_MOST_SIZE, _MOST_AXIS = 10**6, 10**9


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """ "321x481" as (321, 481); DeepLabError for anything else."""
    if text is None:
        return None
    parts = [whole(part, _MOST_SIZE) for part in text.lower().split("x")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        raise DeepLabError(f"{option} {text}: HEIGHTxWIDTH wanted, each up to {_MOST_SIZE}")
    return parts[0], parts[1]


def parse_shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """["data=1x3x5x7", ...] of --shape as shapes by blob; DeepLabError for anything else."""
    shapes = {}
    for text in texts or []:
        name, equals, sizes = text.rpartition("=")
        parts = [whole(part, _MOST_AXIS) for part in sizes.lower().split("x")]
        plain = tuple(part for part in parts if part is not None)
        if not equals or not name or len(plain) < len(parts):
            raise DeepLabError(f"--shape {text}: BLOB=NUMBERxNUMBERx... wanted")
        if name in shapes:
            raise DeepLabError(f"--shape {name}: given twice")
        shapes[name] = plain
    return shapes
