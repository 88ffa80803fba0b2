"""What the options --size and --shape say."""

from ..errors import DeepLabError


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """ "321x481" as (321, 481); DeepLabError for anything else."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and 0 < int(part) < 10**6 for part in parts):
        raise DeepLabError(f"{option} {text}: HEIGHTxWIDTH wanted")
    return int(parts[0]), int(parts[1])


def parse_shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """["data=1x3x5x7", ...] of --shape as shapes by blob; DeepLabError for anything else."""
    shapes = {}
    for text in texts or []:
        name, equals, sizes = text.rpartition("=")
        parts = sizes.lower().split("x")
        if not equals or not name or not all(part.isdigit() and 0 < int(part) < 10**9 for part in parts):
            raise DeepLabError(f"--shape {text}: BLOB=NUMBERxNUMBERx... wanted")
        if name in shapes:
            raise DeepLabError(f"--shape {name}: given twice")
        shapes[name] = tuple(map(int, parts))
    return shapes
