"""Lines on stderr in the form of glog, Caffe's log."""

import os
import sys
import threading
import time

_INFO, _WARNING = 0, 1
_level = _INFO


def init_log(level: int = _INFO, stderr: bool = True) -> None:
    """Leaves out lines below `level`: 0 info, 1 warnings, 2 errors. stderr: taken, and always so."""
    global _level
    _level = level


def log(text: str) -> None:
    """Writes a line of information."""
    _write(_INFO, text)


def warning(text: str) -> None:
    """Writes a warning."""
    _write(_WARNING, text)


def _write(level: int, text: str) -> None:
    least = int(os.environ.get("GLOG_minloglevel") or 0)
    if level < max(_level, least):
        return
    now = time.time()
    clock = time.strftime("%m%d %H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1e6):06d}"
    print(
        f"{'IW'[level]}{clock} {threading.get_native_id():>5} pycaffe.cpp:0] {text}",
        file=sys.stderr,
        flush=True,
    )
