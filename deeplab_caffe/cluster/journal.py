"""What of a long run is done, kept in a file from which the same command goes on."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ..errors import DeepLabError
from ..formats.files import open_file, reading, replacing

_MOST_BYTES = 1 << 34


class Journal:
    """A file of JSON lines: the settings of the run, then `[name, result]` of everything that is done.

    Without a path nothing is kept. `done` holds what an earlier run left; nothing is written before the first
    result. A line that a killed process has not finished does not count. Raises DeepLabError if the file is
    of a run with other settings.
    """

    def __init__(self, path: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.done: dict[str, Any] = {}
        self._file: BinaryIO | None = None
        head = json.dumps({"settings": settings}, sort_keys=True)
        lines = self._lines()
        if lines and lines[0] != head:
            raise DeepLabError(
                f"{self.path}: {_difference(lines[0], settings)}; remove it or choose a folder"
            )
        for line in lines[1:]:
            name, result = json.loads(line)
            self.done[name] = result
        self._begin = lines or [head]

    def add(self, name: str, result: Any) -> None:
        """Keeps a result, at once."""
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as file:
                file.writelines(f"{line}\n".encode() for line in self._begin)
            self._file = self.path.open("ab")
        self._file.write(f"{json.dumps([name, result])}\n".encode())
        self._file.flush()

    def remove(self) -> None:
        """Forgets all: there is nothing to go on with."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _lines(self) -> list[str]:
        """Those that are whole."""
        if self.path is None or not self.path.exists():
            return []
        with open_file(self.path) as file, reading(self.path, "damaged, remove it: not the journal of a run"):
            if os.fstat(file.fileno()).st_size > _MOST_BYTES:
                raise DeepLabError(f"{self.path}: too large for the journal of a run")
            lines = file.read().decode().split("\n")[:-1]
            for line in lines[:1]:
                json.loads(line)["settings"]
            for line in lines[1:]:
                name, _ = json.loads(line)
                if not isinstance(name, str):
                    raise ValueError(f"{name!r} is no name")
        return lines


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's contents: a setting that tells whether it is the same file. Raises DeepLabError."""
    found = hashlib.sha256()
    with open_file(path) as file, reading(path):
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _difference(head: str, settings: Mapping[str, Any]) -> str:
    """Which setting is another one."""
    theirs = json.loads(head)["settings"]
    ours = json.loads(json.dumps(settings))
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    return f"of a run with another {', '.join(names)}"
