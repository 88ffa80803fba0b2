"""The command line: one verb a file; importing this package registers all of them.

`deeplab-caffe --help` must stay quick, so a verb imports torch, numpy and the like inside its function.
"""

import importlib
import pkgutil
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from ..errors import (
    MOST_TEXT,
    DeepLabError,
    DeepLabWarning,
    is_out_of_memory,
    missing_package,
    one_line,
    reason_of,
)
from ..threads import check_environment
from .options import app

__all__ = ["app", "main"]

INTERRUPTED = 130  # what shells report for SIGINT; typer returns it for Ctrl-C in a verb

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0: done; 1: some of the inputs failed, the rest is done; 2: an error, told in one line on stderr;
    130: interrupted.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _show(warnings.showwarning)
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of images that are read in threads
        return _run(arguments)


@cache
def _command(app: typer.Typer) -> Callable[..., Any]:
    """What a call of `app` makes of all its verbs, made once: that takes longer than many a verb does."""
    return get_command(app)


def _run(arguments: list[str] | None) -> int:
    # click's UsageError, from typer's own copy of click or the package.
    usage_error: Any = typer.BadParameter.__base__
    try:
        check_environment()
        result = _command(app)(arguments, prog_name="deeplab-caffe", standalone_mode=False)
        if result == INTERRUPTED:
            print("interrupted", file=sys.stderr)
        return result if isinstance(result, int) else 0
    except usage_error as error:
        if not error.format_message():
            return error.exit_code
        return _fail(f"{error.format_message()} (see {_path(error)} --help)")
    except (DeepLabError, OSError) as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        line = missing_package(error)
        if line is None:
            raise
        return _fail(line)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return _fail(f"out of memory: {reason_of(error)}")
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _show(otherwise: Callable[..., None]) -> Callable[..., None]:
    """Shows our own warnings as one line, without the line of code they come from."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **named: Any) -> None:
        if issubclass(category, DeepLabWarning):
            print("warning: " + " ".join(str(message).split()), file=sys.stderr)
        else:
            otherwise(message, category, *place, **named)

    return show


def _fail(message: str) -> int:
    print("error: " + one_line(message, MOST_TEXT), file=sys.stderr)
    return 2


def _path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "deeplab-caffe"
