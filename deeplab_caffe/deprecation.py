"""Old names that work for one version more, with a DeprecationWarning."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def renamed_keywords(
    **new_names: str,
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Function decorator: takes keywords by their old names, too; `renamed_keywords(old="new")`."""

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @wraps(function)
        def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            for old in new_names.keys() & named.keys():
                warn_renamed(f"{function.__qualname__}({old}=...)", f"{new_names[old]}=", stacklevel=3)
                named[new_names[old]] = named.pop(old)
            return function(*arguments, **named)

        return call

    return decorate


def renamed_attribute(new_name: str) -> Any:
    """A property that reads the attribute's new name."""

    def read(owner: Any) -> Any:
        warn_renamed("this attribute", f"{type(owner).__name__}.{new_name}", stacklevel=3)
        return getattr(owner, new_name)

    return property(read)


def warn_renamed(old: str, new: str, stacklevel: int = 2) -> None:
    """Tells who calls that the name they use goes with the next version."""
    warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=stacklevel)
