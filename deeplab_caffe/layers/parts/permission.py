"""Whether nets may run Python code of their users: not unless somebody says so."""

_allowed = False


def allow_python_layers() -> None:
    """From now on every net of this process may have layers of type Python.

    A net alone: Net(..., python_layers=True).
    """
    global _allowed
    _allowed = True


def python_layers_allowed() -> bool:
    """Whether `allow_python_layers` was called."""
    return _allowed
