"""Images that are no files of their own here: at an address of an object store, or in a tar shard."""

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DeepLabError, missing_package, reason_of
from ..formats.files import open_file, reading
from ..types import override


@dataclass(frozen=True)
class StoredImage:
    """The file at `place`, a path or an address that fsspec knows; in a tar shard the bytes of one member."""

    place: str
    member: str = ""
    offset: int = 0
    size: int | None = None

    @override
    def __str__(self) -> str:
        return f"{self.place}/{self.member}" if self.member else self.place

    def read(self) -> bytes:
        """The bytes of the image's file. Raises DeepLabError."""
        if is_address(self.place):
            end = None if self.size is None else self.offset + self.size
            with _remote(self.place) as (system, path):
                data = system.cat_file(path, start=self.offset, end=end)
        else:
            with open_file(self.place) as file, reading(self.place):
                file.seek(self.offset)
                data = file.read(-1 if self.size is None else self.size)
        if self.size is not None and len(data) != self.size:
            raise DeepLabError(f"{self}: the shard ends in the middle of it")
        return data


ImageFile = Path | StoredImage


def is_address(text: str) -> bool:
    """Whether it is an address, such as s3://bucket/photos, not a path."""
    return "://" in text


def is_shard(text: str) -> bool:
    """Whether it names a tar file."""
    return text.lower().endswith(".tar")


def image_at(text: str) -> ImageFile:
    """The image of a path or an address."""
    return StoredImage(text) if is_address(text) else Path(text)


def in_folder(address: str, suffixes: set[str]) -> list[StoredImage]:
    """The images in a folder of an object store, sorted; suffixes: of their names, lower case."""
    with _remote(address) as (system, path):
        names = sorted(system.ls(path, detail=False))
        return [StoredImage(system.unstrip_protocol(name)) for name in names if _suffix(name) in suffixes]


def in_shard(place: str, suffixes: set[str]) -> list[StoredImage]:
    """The images in a tar file, in its order, by its headers alone. Raises DeepLabError.

    Only a plain tar can be read in pieces: a compressed one is an error.
    """
    wrong = "not a whole, uncompressed tar file"
    with _opened(place) as file, reading(place, wrong), tarfile.open(fileobj=file, mode="r:") as shard:
        return [
            StoredImage(place, one.name, one.offset_data, one.size)
            for one in shard
            if one.isfile() and not one.issparse() and _suffix(one.name) in suffixes
        ]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


@contextmanager
def _opened(place: str) -> Iterator[BinaryIO]:
    if is_address(place):
        with _remote(place) as (system, path), system.open(path, "rb") as file:
            yield file
    else:
        with open_file(place) as file:
            yield file


@contextmanager
def _remote(address: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address and its path there; whatever they raise is a DeepLabError."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise DeepLabError(missing_package(error, address)) from None
    try:
        with reading(address):
            yield url_to_fs(address)
    except ImportError as error:  # of the kind of store: it says what to install
        raise DeepLabError(f"{address}: {reason_of(error)}") from None
