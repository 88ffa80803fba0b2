"""Reads TOML files, as `run` has them."""

import os
import sys
from typing import Any

from ..errors import DeepLabError
from .files import read_bytes, reading

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Python's parser takes time and memory of the square of a dotted key's length, which lies in one line.
_MAX_BYTES, _MAX_LINE = 1 << 18, 4096


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a TOML file. Raises DeepLabError: no such file, no TOML, far too large."""
    data = read_bytes(path, _MAX_BYTES)
    longest = max(map(len, data.splitlines()), default=0)
    if longest > _MAX_LINE:
        raise DeepLabError(f"{os.fspath(path)}: a line of {longest} bytes, at most {_MAX_LINE} are read")
    with reading(path):
        return tomllib.loads(data.decode())
