"""Reads one input under limits of time and memory, and says what is wrong with how that went."""

import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deeplab_caffe.errors import DeepLabError, DeepLabWarning

SECONDS = 5.0  # of processor time an input
_PACKAGE = f"{os.sep}deeplab_caffe{os.sep}"


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where: findings of one `kind` have one cause."""

    kind: str
    text: str


def check(read: Callable[[str], Any], path: str, memory: int, longest: int = 450) -> Finding | None:
    """Reads a file. Accepted are success and a DeepLabError of one short line; anything else is told.

    memory: how many bytes it may take beyond four times the file's size. longest: how many characters an
    error may have, without the path; by default a sentence and a long name of 200.
    """
    allowed = 4 * os.path.getsize(path) + memory
    _reset_peak()
    before, start = _status("VmRSS"), time.process_time()
    found = _outcome(read, path, longest)
    seconds = time.process_time() - start
    taken = _status("VmHWM") - before
    if found is None and seconds > SECONDS:
        found = Finding(f"slow {read}", f"{seconds:.1f} s")
    if found is None and taken > allowed:
        found = Finding(f"memory {read}", f"{taken >> 20} MB for a file of {os.path.getsize(path)} bytes")
    return found


def _outcome(read: Callable[[str], Any], path: str, longest: int) -> Finding | None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            read(path)
        except DeepLabError as error:
            text = str(error)
            rest = text.replace(path, "")
            if len(rest) > longest or not rest.isprintable() or not rest.strip():
                return Finding(f"message {_where(error)}", f"{len(rest)} characters: {ascii(text[:400])}")
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            lines = "".join(traceback.format_exception(error)[-8:])
            return Finding(f"{type(error).__name__} {_where(error)}", lines[-3000:])
    for warning in told:
        if not issubclass(warning.category, DeepLabWarning | ResourceWarning | DeprecationWarning):
            place = f"{os.path.basename(warning.filename)}:{warning.lineno}"
            return Finding(
                f"warning {place}", f"{warning.category.__name__}: {ascii(str(warning.message))[:300]}"
            )
    return None


def _where(error: BaseException) -> str:
    """The line of the package, nearest to where the exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in frame.filename] or list(frames)
    frame = own[-1]
    return f"{os.path.basename(frame.filename)}:{frame.name}:{frame.lineno}"


def limit_memory(more: int) -> None:
    """Ends with MemoryError, instead of taking the machine's memory, what wants more than so many bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + more,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reset_peak() -> None:
    if sys.platform == "linux":
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def _status(name: str) -> int:
    """A size of this process in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))
    except OSError:
        return 0
