"""Opening and replacing files, with errors of one line."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ..errors import DeepLabError


def file_error(path: str | os.PathLike[str], error: Exception) -> DeepLabError:
    """An OSError or the like as one line that names the file."""
    return DeepLabError(f"{os.fspath(path)}: {getattr(error, 'strerror', None) or error}")


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """The contents of a file; DeepLabError if it cannot be read or has more than `limit` bytes."""
    try:
        with open(path, "rb") as file:
            # The size first, lest a wrong file fill the memory; but a pipe has none.
            data = b"" if os.fstat(file.fileno()).st_size > limit else file.read(limit + 1)
            if len(data) > limit or (not data and file.read(1)):
                raise DeepLabError(f"{os.fspath(path)}: larger than the {limit} bytes such a file may have")
            return data
    except DeepLabError:
        raise
    except (OSError, ValueError) as error:
        raise file_error(path, error) from None


@contextmanager
def replacing(path: str | os.PathLike[str], durable: bool = False) -> Iterator[BinaryIO]:
    """A file to write in place of `path`: it appears there, whole, when the block ends without an error.

    durable: it is on disk before it appears, so that not even a power cut leaves a broken one.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            _sync_folder(folder)
    except OSError as error:
        raise file_error(path, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _sync_folder(folder: str) -> None:
    """Puts the folder's list of names on disk, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
