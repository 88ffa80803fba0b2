"""The part in which the names of several nodes differ from one occurrence of a block to the next."""

import os
import re
from collections.abc import Sequence

from .nodes import HOLE


def common_part(names: Sequence[str]) -> str:
    """The longest text that is in all names; of several the first in the first name."""
    shortest = min(names, key=len)
    for length in range(len(shortest), 0, -1):
        for start in range(len(shortest) - length + 1):
            part = shortest[start : start + length]
            if all(part in name for name in names):
                return part
    return ""


def templates(names: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    """Each name with a HOLE where the common part is, and that part; None where they have none."""
    part = common_part(names)
    if not part:
        return None
    return tuple(name.replace(part, HOLE, 1) for name in names), part


def tidied(holes: tuple[str, ...], parts: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The same with what all parts begin or end with moved into the names, whole words of it."""
    before = os.path.commonprefix(list(parts)) if len(parts) > 1 else ""
    before = re.sub(r"[^_]+$", "", before)
    rest = [part[len(before) :] for part in parts]
    behind = os.path.commonprefix([part[::-1] for part in rest])[::-1] if len(parts) > 1 else ""
    behind = re.sub(r"^[^_]+", "", behind)
    rest = [part.removesuffix(behind) for part in rest]
    if not all(rest):
        return holes, list(parts)
    return tuple(hole.replace(HOLE, before + HOLE + behind) for hole in holes), rest
