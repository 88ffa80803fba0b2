"""Whether nets may run Python code of their users: not unless somebody says so."""

import sys
from pathlib import Path

_TOPLEVEL = Path(__file__).parents[2] / "pycaffe/top-level"
_allowed = False


def allow_python_layers() -> None:
    """From now on every net of this process may have layers of type Python, whose modules find `caffe`.

    A net alone: Net(..., python_layers=True).
    """
    global _allowed
    _allowed = True
    if str(_TOPLEVEL) not in sys.path:
        sys.path.insert(0, str(_TOPLEVEL))


def python_layers_allowed() -> bool:
    """Whether `allow_python_layers` was called."""
    return _allowed
