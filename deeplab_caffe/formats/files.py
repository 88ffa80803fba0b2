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
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write in place of `path`: it appears there, whole, when the block ends without an error."""
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise file_error(path, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)
