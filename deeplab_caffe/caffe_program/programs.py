"""The programs by name, and what all of them have in common: flags, log, errors, exit codes."""

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ..assets import package_version
from ..errors import DeepLabError, DeepLabWarning, missing_package
from .flags import Flag, FlagError, Flags, describe, parse
from .glog import ABORTED, Abort, Log
from .glog import flags as glog_flags

# The prefix of the console scripts, which keeps them apart from Caffe's own.
PREFIX = "dlc-"
PROGRAMS = (
    "caffe",
    "compute_image_mean",
    "convert_imageset",
    "device_query",
    "extract_features",
    "finetune_net",
    "net_speed_benchmark",
    "test_net",
    "train_net",
    "upgrade_net_proto_binary",
    "upgrade_net_proto_text",
    "upgrade_solver_proto_text",
)
# What Caffe itself put aside, and the action of `caffe` that took its place.
DEPRECATED = {
    "device_query": "device_query --gpu=0",
    "finetune_net": "train --solver=... --weights=...",
    "net_speed_benchmark": "time --model=... --iterations=50",
    "test_net": "test --model=... --weights=... --iterations=50",
    "train_net": "train --solver=...",
}
_COMMON = (
    Flag("help", False, "show the flags"),
    Flag("version", False, "show the version"),
)


@dataclass(frozen=True)
class Call:
    """What a program is called with: its flags, the arguments that are none, its log."""

    flags: Flags
    arguments: list[str]
    log: Log
    # The whole command line, for processes that do the same.
    words: list[str]


class Program(Protocol):
    """A module that is a program."""

    USAGE: str
    FLAGS: tuple[Flag, ...]
    # How many arguments that are no flags it takes: least and most.
    ARGUMENTS: tuple[int, int]

    def main(self, call: Call) -> int:
        """Runs; returns the exit code."""


def run(name: str, words: Sequence[str]) -> int:
    """Runs a program of Caffe's; returns its exit code.

    0: done; 1: a command line that it refuses, or --help; 134: a FATAL line in the log, for which Caffe's
    programs abort; 2: a package is missing. Upgrades have codes of their own.
    """
    try:
        return _run(name, words)
    except ModuleNotFoundError as error:
        line = missing_package(error, f"{PREFIX}{name}")
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 2


def _run(name: str, words: Sequence[str]) -> int:
    try:
        known = glog_flags()
        if name in DEPRECATED:
            log = Log(name, parse(known, [])[0])
            return _guarded(log, lambda: log.fatal(f"{name}.cpp", f"gone; use caffe {DEPRECATED[name]}"))
        program = cast(Program, importlib.import_module(f".{name}", __package__))
        known = [*program.FLAGS, *known, *_COMMON]
        flags, arguments = parse(known, words)
    except FlagError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    if flags.yes("version"):
        print(f"{name} version 1.0.0 (deeplab_caffe {package_version()})")
        return 0
    least, most = program.ARGUMENTS
    if flags.yes("help") or not least <= len(arguments) <= most:
        print(f"{name}: {program.USAGE}\n\n  Flags:\n{describe(known)}")
        # As `caffe` alone, which is not an error.
        return 0 if name == "caffe" and not flags.yes("help") and not arguments else 1
    log = Log(name, flags, silent=os.environ.get("RANK", "0") != "0")
    return _guarded(log, lambda: program.main(Call(flags, arguments, log, list(words))))


def _guarded(log: Log, work: Callable[[], int]) -> int:
    """Runs `work`; what goes wrong becomes a FATAL line, what is worth a warning a WARNING."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **named: Any) -> None:
        if issubclass(category, DeepLabWarning):
            log.warning("net.cpp", " ".join(str(message).split()))

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            warnings.simplefilter("always", DeepLabWarning)
            return work()
    except Abort:
        return ABORTED
    except (DeepLabError, OSError, MemoryError) as error:
        text = f"out of memory: {error}" if isinstance(error, MemoryError) else str(error)
        try:
            log.fatal(f"{log.program}.cpp", " ".join(text.split()))
        except Abort:
            return ABORTED
    finally:
        log.close()


def main() -> int:
    """A console script: the program that it is called by the name of."""
    name = os.path.basename(sys.argv[0]).removesuffix(".exe").removeprefix(PREFIX)
    if name not in PROGRAMS:
        print(f"error: no program is named {name}; there are {', '.join(PROGRAMS)}", file=sys.stderr)
        return 2
    return run(name, sys.argv[1:])
