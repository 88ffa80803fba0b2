"""Log lines and log files in the form of glog, so that scripts that read Caffe's logs read ours."""

import getpass
import os
import socket
import sys
import tempfile
import threading
from datetime import datetime
from typing import NoReturn, TextIO

from .flags import Flag, Flags

LEVELS = ("INFO", "WARNING", "ERROR", "FATAL")
# What a shell reports of a program that glog has ended (SIGABRT).
ABORTED = 134
_FORM = "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg"


def _given(name: str, default: str | int | bool, text: str) -> Flag:
    """A flag whose default an environment variable GLOG_name sets."""
    flag = Flag(name, default, text)
    found = os.environ.get(f"GLOG_{name}")
    return flag if found is None else Flag(name, flag.value(found), text)


def flags() -> list[Flag]:
    """glog's flags, of those that change something here; GLOG_... in the environment sets them, too."""
    return [
        _given("log_dir", "", "folder for log files; the system's for temporary files if empty"),
        _given("logtostderr", False, "log to stderr only, not to files"),
        _given("alsologtostderr", True, "log to stderr as well as to files"),
        _given("stderrthreshold", 2, "without alsologtostderr: messages of this level and above, to stderr"),
        _given(
            "minloglevel", 0, "messages below this level are dropped: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL"
        ),
    ]


class Abort(Exception):  # noqa: N818 the end of a program, as glog has it
    """The program ends: its FATAL line is written."""


class Log:
    """Writes messages to stderr and to a file for each level, which holds those above it, too.

    program: names the files, PROGRAM.host.user.log.LEVEL.date-time.process, and the links PROGRAM.LEVEL to
    the newest of them. silent: of a process that leaves reporting to another one.
    """

    def __init__(self, program: str, flags: Flags, silent: bool = False) -> None:
        self.program, self.flags, self.silent = program, flags, silent
        self._files: dict[str, TextIO | None] = {}
        self._lock = threading.Lock()

    def info(self, place: str, text: str) -> None:
        """A message. place: the file of Caffe's that says this, "solver.cpp"."""
        self._write(0, place, text)

    def warning(self, place: str, text: str) -> None:
        """The same of level WARNING."""
        self._write(1, place, text)

    def error(self, place: str, text: str) -> None:
        """The same of level ERROR."""
        self._write(2, place, text)

    def fatal(self, place: str, text: str) -> NoReturn:
        """The same of level FATAL; raises Abort."""
        self._write(3, place, text)
        raise Abort(text)

    def _write(self, level: int, place: str, text: str) -> None:
        if (self.silent and level < 2) or level < min(self.flags.number("minloglevel"), 3):
            return
        now = datetime.now()
        line = f"{LEVELS[level][0]}{now:%m%d %H:%M:%S.%f} {threading.get_native_id():5d} {place}:0] {text}\n"
        only = self.flags.yes("logtostderr")
        with self._lock:
            if only or self.flags.yes("alsologtostderr") or level >= self.flags.number("stderrthreshold"):
                sys.stderr.write(line)
                sys.stderr.flush()
            if only or self.silent:
                return
            for name in LEVELS[: level + 1]:
                if name not in self._files:
                    self._files[name] = self._open(name, now)
                if (file := self._files[name]) is not None:
                    file.write(line)
                    file.flush()

    def _open(self, level: str, now: datetime) -> TextIO | None:
        """The file of a level, its head written and the link set; None if there can be none."""
        folder = self.flags.text("log_dir") or tempfile.gettempdir()
        host = socket.gethostname()
        name = f"{self.program}.{host}.{_user()}.log.{level}.{now:%Y%m%d-%H%M%S}.{os.getpid()}"
        try:
            file = open(os.path.join(folder, name), "w", encoding="utf-8", errors="backslashreplace")
            file.write(f"Log file created at: {now:%Y/%m/%d %H:%M:%S}\nRunning on machine: {host}\n{_FORM}\n")
            link = os.path.join(folder, f"{self.program}.{level}")
            os.symlink(name, f"{link}.{os.getpid()}")
            os.replace(f"{link}.{os.getpid()}", link)
        except OSError as error:
            sys.stderr.write(f"COULD NOT CREATE LOGFILE '{folder}/{name}': {error.strerror}\n")
            return None
        return file

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            if file is not None:
                file.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, in a container
        return "invalid-user"
