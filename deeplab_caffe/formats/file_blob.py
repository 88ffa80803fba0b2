"""Blobs that stay in their file: where the values are, and reading them when they are wanted."""

import mmap
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ..errors import DeepLabError
from ..types import Shape
from .files import map_opened, open_file, reading

# Whether floats in files, which are little-endian, are this machine's.
SAME_BYTE_ORDER = sys.byteorder == "little"


class OpenFile:
    """A file that is kept open for reads at any position, so that it may be renamed, replaced or deleted.

    Nothing stays mapped: a map of a file that somebody cuts short would end the program. Raises DeepLabError
    if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._file = open_file(path)  # closed with this object
        self._state = self._stat()

    def _stat(self) -> tuple[int, int]:
        now = os.fstat(self._file.fileno())
        return now.st_size, now.st_mtime_ns

    @property
    def unchanged(self) -> bool:
        """Whether nobody has written to the file since it was opened."""
        return self._stat() == self._state

    def map(self) -> mmap.mmap:
        """The contents, mapped, for reading at once. Raises DeepLabError for an empty file."""
        return map_opened(self._file, self.name)

    def fileno(self) -> int:
        """The descriptor; its position means nothing."""
        return self._file.fileno()


@dataclass(frozen=True)
class FileBlob:
    """A blob of `shape` whose float32 values lie in one piece in a file; `what` it is, for errors."""

    file: OpenFile
    what: str
    offset: int
    shape: Shape

    def reshape(self, shape: Sequence[int]) -> "FileBlob":
        """The same values in another shape."""
        return replace(self, shape=tuple(shape))

    def read_with(self, read: Callable[[int, int], bool]) -> None:
        """Calls read(descriptor, offset). DeepLabError if it returns False, or if the file has changed."""
        with reading(self.file.name):
            unchanged = self.file.unchanged
        if not unchanged:
            raise DeepLabError(f"{self.file.name}: {self.what}: the file has changed since it was loaded")
        if not read(self.file.fileno(), self.offset):
            raise DeepLabError(f"{self.file.name}: {self.what}: cannot be read any more")

    def read(self) -> Tensor:
        """The values, as a new tensor. Raises DeepLabError."""
        values = torch.empty(self.shape, dtype=torch.float32)
        rest = memoryview(values.view(-1).numpy().data).cast("B")

        def read(file: int, offset: int) -> bool:
            nonlocal rest
            while rest:
                try:
                    got = os.preadv(file, [rest], offset)
                except OSError:
                    return False
                if not got:
                    return False
                rest, offset = rest[got:], offset + got
            return True

        if prod(self.shape):
            self.read_with(read)
        return values


def in_memory(blob: Tensor | FileBlob) -> Tensor:
    """The blob's values, read now if they are in a file. Raises DeepLabError."""
    return blob.read() if isinstance(blob, FileBlob) else blob
