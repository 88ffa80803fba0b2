"""What a misspelt name was meant to be."""

import difflib
from collections.abc import Iterable

_NEAR, _NEAR_AS_A_WHOLE = 0.8, 0.92  # difflib's ratio, without and with that end
_SHORTEST = 4  # below, any two names are alike


def near_name(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` is a misspelling of, "" if none is near.

    The end `_param`, which all messages of layers have, does not make names alike.
    """
    stem = name.removesuffix("_param").lower()
    if len(stem) < _SHORTEST:
        return ""
    stems = {one.removesuffix("_param").lower(): one for one in known}
    near = difflib.get_close_matches(stem, stems, 1, _NEAR)
    if near:
        return stems[near[0]]
    return next(iter(difflib.get_close_matches(name, stems.values(), 1, _NEAR_AS_A_WHOLE)), "")
