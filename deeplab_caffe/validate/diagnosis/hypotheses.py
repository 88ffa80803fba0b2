"""The registry of hypotheses: what people get wrong, each in a file of this folder."""

import importlib
import pkgutil
from collections.abc import Callable, Generator

from ..results import Trial
from .case import Case
from .variant import Variant

# Changes to try, or what was found out by itself; how each went comes back.
Trials = Generator[Variant | Trial, Trial, None]
Hypothesis = Callable[[Case], Trials]


class NotApplicableError(Exception):
    """The hypothesis cannot be the reason; the text says why."""


_REGISTRY: dict[str, Hypothesis] = {}


def hypothesis(name: str) -> Callable[[Hypothesis], Hypothesis]:
    """Function decorator: the function is the hypothesis `name`.

    It raises NotApplicableError, before it yields anything, where it cannot be the reason.
    """

    def add(function: Hypothesis) -> Hypothesis:
        if name in _REGISTRY:
            raise ValueError(f"hypothesis {name} is registered twice")
        _REGISTRY[name] = function
        return function

    return add


def known() -> dict[str, Hypothesis]:
    """All hypotheses by name, sorted."""
    package = __package__ or ""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
    return dict(sorted(_REGISTRY.items()))
