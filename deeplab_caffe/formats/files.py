"""The door for files: every reader opens here, and every file that is replaced is written here.

Whoever reads within `reading` can leave to it whatever the libraries raise. Only regular files are opened,
lest a pipe that nobody writes to hang the program or a device fill the memory; "-" is standard input.
"""

import mmap
import os
import re
import stat
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import BinaryIO

from ..errors import DeepLabError, OutOfMemoryError, is_out_of_memory, reason_of

STANDARD_INPUT = "-"
# What reading a file may take of memory: so many times its bytes, and so many bytes.
_TIMES, _BESIDES = 4, 200_000_000
_MOST_STANDARD_INPUT = 1 << 32
_MOST_OF_NAME = 200  # bytes that a temporary file's name takes from the name it is for; of 255
_TEMPORARY = re.compile(r"\.(.+)\.\d+-\d+\.tmp", re.DOTALL)

Path = str | os.PathLike[str]


def file_error(path: Path, error: BaseException, what: str = "") -> DeepLabError:
    """Any exception as one line that names the file; what: said first, unless the system refused the file."""
    source = os.fspath(path)
    if is_out_of_memory(error):
        return OutOfMemoryError(f"{source}: not enough memory for it")
    reason = getattr(error, "strerror", None) or reason_of(error)
    refused = isinstance(error, OSError) and error.filename is not None
    return DeepLabError(f"{source}: {what}: {reason}" if what and not refused else f"{source}: {reason}")


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[None]:
    """Around all that looks at the contents of a file: its errors, whatever they are, become a DeepLabError.

    what: what the file then is, such as "not a whole .npz archive". A library that is given broken bytes may
    raise anything: KeyError and TypeError as well as its own.
    """
    try:
        yield
    except (DeepLabError, ImportError):  # a package that is missing is nothing wrong with the file
        raise
    except Exception as error:
        raise file_error(path, error, what) from error


def open_file(path: Path) -> BinaryIO:
    """The file, for reading its bytes. Raises DeepLabError: not there, or no regular file.

    "-" is all of standard input, once read and kept in an unnamed file, so that it can be mapped, too.
    """
    source = os.fspath(path)
    with reading(path):
        if source == STANDARD_INPUT:
            file = os.fdopen(os.dup(_standard_input()), "rb")
            file.seek(0)
            return file
        return open(source, "rb", opener=_open_regular)


def file_size(path: Path) -> int:
    """The bytes of a file. Raises DeepLabError as open_file does."""
    with open_file(path) as file:
        return os.fstat(file.fileno()).st_size


def named_file(path: Path) -> str:
    """The name of a regular file, for a library that opens it itself. Raises DeepLabError."""
    source = os.fspath(path)
    if source == STANDARD_INPUT:
        raise DeepLabError("standard input: this format needs a file")
    file_size(source)
    return source


def map_file(path: Path) -> mmap.mmap:
    """The contents of a file that is not empty, mapped. Raises DeepLabError.

    It is not closed by hand: arrays over it may live on, and it goes with them.
    """
    with open_file(path) as file:
        return map_opened(file, path)


def map_opened(file: BinaryIO, path: Path) -> mmap.mmap:
    """`map_file` of a file that is open; path: for errors."""
    with reading(path):
        if os.fstat(file.fileno()).st_size == 0:
            raise DeepLabError(f"{os.fspath(path)}: the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_bytes(path: Path, limit: int) -> bytes:
    """The contents of a file; DeepLabError if it cannot be read or has more than `limit` bytes."""
    with open_file(path) as file, reading(path):
        # The size first, lest a wrong file fill the memory.
        if os.fstat(file.fileno()).st_size > limit:
            raise DeepLabError(f"{os.fspath(path)}: larger than the {limit} bytes such a file may have")
        return file.read(limit)


def read_text(path: Path, limit: int) -> str:
    """The text of a UTF-8 file; DeepLabError if it cannot be read, is no text, or is too long."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DeepLabError(f"{os.fspath(path)}: not a text file") from None


def check_memory(path: Path, size: int, wanted: int, what: str = "its contents") -> None:
    """DeepLabError if reading a file of `size` bytes wants more memory than such a file may take.

    For who unpacks, or makes many small objects: a small file can ask for a lot.
    """
    allowed = _TIMES * size + _BESIDES
    if wanted > allowed:
        raise DeepLabError(
            f"{os.fspath(path)}: {what}: {_megabytes(wanted)} of memory wanted; "
            f"a file of {_megabytes(size)} may take {_megabytes(allowed)}"
        )


def check_archive(file: BinaryIO, path: Path) -> None:
    """DeepLabError if the file is a zip archive that unpacks to more than it may take."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        check_memory(path, os.fstat(file.fileno()).st_size, unpacked)
    file.seek(0)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def _open_regular(source: str, flags: int) -> int:
    """os.open that neither waits for the writer of a pipe nor takes anything but a regular file."""
    handle = os.open(source, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise DeepLabError(f"{source}: a folder, a file wanted")
    raise DeepLabError(f"{source}: a pipe or a device, a file wanted ('-' reads standard input)")


@cache
def _standard_input() -> int:
    """A descriptor of an unnamed file with all that comes from standard input."""
    with tempfile.TemporaryFile() as kept:
        left = _MOST_STANDARD_INPUT
        while block := sys.stdin.buffer.read(min(left, 1 << 20)):
            kept.write(block)
            left -= len(block)
        if not left:
            raise DeepLabError(f"standard input: more than {_megabytes(_MOST_STANDARD_INPUT)}")
        kept.flush()
        return os.dup(kept.fileno())


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """A file to write in place of `path`: it appears there, whole, when the block ends without an error.

    durable: it is on disk before it appears, so that not even a power cut leaves a broken one.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if "\0" in name:
        raise DeepLabError(f"{os.fspath(path)}: a zero byte in the name")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe would be gone, for every other program, too.
        raise DeepLabError(f"{os.fspath(path)}: a folder, a pipe or a device, a file wanted")
    temporary = os.path.join(folder, f".{_short(name)}.{os.getpid()}-{threading.get_ident()}.tmp")
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


def remove_unfinished(paths: Iterable[Path]) -> None:
    """Removes what killed processes have left of files that `replacing` was to write there."""
    wanted: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(os.path.abspath(path))
        wanted.setdefault(folder, set()).add(_short(name))
    for folder, names in wanted.items():
        with suppress(OSError):
            for entry in os.listdir(folder):
                match = _TEMPORARY.fullmatch(entry)
                if match and match[1] in names:
                    os.unlink(os.path.join(folder, entry))


def newer(files: Iterable[Path], sources: Iterable[object]) -> bool:
    """Whether all these files are there, and no source that is a file was changed after one was written."""
    try:
        oldest = min((os.stat(path).st_mtime_ns for path in files), default=0)
        return all(
            os.stat(path).st_mtime_ns <= oldest for path in sources if isinstance(path, str | os.PathLike)
        )
    except OSError:
        return False


def _short(name: str) -> str:
    """As much of a name as leaves room for the ending of a temporary file's."""
    return os.fsdecode(os.fsencode(name)[:_MOST_OF_NAME])


def _sync_folder(folder: str) -> None:
    """Puts the folder's list of names on disk, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
