"""The formats of files by kind of contents: the end of a name and a file's first bytes tell which it is in.

A format's own file registers it, and is found by being there. weights.py and scores.py are what others call.
"""

import importlib
import os
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Generic, TypeVar

from ..errors import DeepLabError
from ..types import override
from .files import open_file, reading
from .stored import StoredArray, StoredScores

Contents = TypeVar("Contents")

_HEAD = 16  # bytes of a file that `magic` sees


@dataclass(frozen=True)
class Format(Generic[Contents]):
    """One format. `name` is for people.

    suffixes: ends of file names, lower case. magic: matches the first bytes; None where they tell nothing.
    read(path, ...) and write(path, contents, ...) raise DeepLabError; write is None where only other programs
    write it. owns(path): for what is not one file; whether the path names something in this format.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[..., Contents]
    write: Callable[..., None] | None = None
    magic: re.Pattern[bytes] | None = None
    owns: Callable[[str], bool] = lambda path: False

    @override
    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.suffixes)})"


class Registry(Generic[Contents]):
    """The formats that hold one kind of contents; `what` names it in errors."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.formats: dict[str, Format[Contents]] = {}

    def register(self, added: Format[Contents]) -> None:
        """Adds a format. ValueError: its name or a suffix is taken."""
        taken = {suffix for known in self.formats.values() for suffix in known.suffixes}
        if added.name in self.formats or taken.intersection(added.suffixes):
            raise ValueError(f"{added} is registered twice")
        self.formats[added.name] = added

    def find(self, path: str | os.PathLike[str], among: Collection[str] = ()) -> Format[Contents]:
        """The format of a file: what its first bytes tell counts before its name.

        among: names of formats, where not all are possible. DeepLabError if none fits; it says which were
        looked for. A file of a known name that cannot be read is left to the format's reader.
        """
        source = os.fspath(path)
        known = [known for name, known in self.formats.items() if not among or name in among]
        if len(known) == 1:
            return known[0]
        for format in known:
            if format.owns(source):
                return format
        named = [format for format in known if source.lower().endswith(format.suffixes)]
        try:
            with open_file(source) as file, reading(source):
                head = file.read(_HEAD)
        except DeepLabError:
            if not named:
                raise
            head = b""
        begun = [format for format in known if format.magic and format.magic.match(head)]
        both = [format for format in begun if format in named]
        for fitting in (both, begun, named):
            if fitting:
                return fitting[0]
        if not head:
            raise DeepLabError(f"{source}: the file is empty")
        raise DeepLabError(f"{source}: no {self.what}; looked for {_listed(known)}")

    def writer(self, path: str | os.PathLike[str]) -> Callable[..., None]:
        """What writes a file of this name. DeepLabError if nothing does."""
        source = os.fspath(path)
        able = [format for format in self.formats.values() if format.write]
        for format in able:
            if format.write and source.lower().endswith(format.suffixes):
                return format.write
        raise DeepLabError(f"{source}: no name for {self.what}; one of {_listed(able)} wanted")


def import_formats(registry: str) -> None:
    """Imports the files of this folder that register a format with `registry`, by its name here.

    Only those: others load what they need, torch among it.
    """
    for file in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py") and f"\n{registry}.register(" in file.read_text():
            importlib.import_module(f"{__package__}.{file.name.removesuffix('.py')}")


def _listed(formats: Iterable[Format[Any]]) -> str:
    return ", ".join(sorted(map(str, formats)))


LAYERS: Registry[Any] = Registry("weights of Caffe's")  # of list[LayerBlobs], which needs torch
ARRAYS: Registry[dict[str, StoredArray]] = Registry("weights of other programs")
SCORES: Registry[StoredScores] = Registry("scores")
