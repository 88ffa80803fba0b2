"""LMDB databases as Caffe keeps data sets in: records in the order of their keys."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ..errors import DeepLabError, missing_package

# Written in transactions of so many records, as Caffe's tools do.
_TRANSACTION = 1000
_START_SIZE = 1 << 24


def _lmdb(path: str) -> Any:
    try:
        import lmdb
    except ModuleNotFoundError as error:
        raise DeepLabError(f"{path}: {missing_package(error)}") from None
    return lmdb


def is_lmdb(path: str) -> bool:
    """Whether an LMDB lies there: a folder with data.mdb."""
    return os.path.isfile(os.path.join(path, "data.mdb"))


def is_leveldb(path: str) -> bool:
    """Whether a LevelDB lies there: a folder with CURRENT."""
    return os.path.isfile(os.path.join(path, "CURRENT"))


# A process may open a database once only, but several layers read the same.
_open: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()


def _opened(lmdb: Any, path: str) -> Any:
    """The database, open for reading, shared by all who hold it."""
    status = os.stat(os.path.join(path, "data.mdb"))
    environment = _open.get((status.st_dev, status.st_ino))
    if environment is None:
        # No lock file: the folder may be read-only, and nobody writes to a data set that is read.
        environment = lmdb.open(path, readonly=True, lock=False, readahead=False)
        _open[status.st_dev, status.st_ino] = environment
    return environment


class LmdbReader:
    """The records of a database by number, over and over: number n is the record n % len, in key order.

    Made for numbers that grow: one that is smaller than the one before starts again at the beginning. Not for
    several threads at once. Raises DeepLabError: no LMDB there, or an empty or a broken one.
    """

    def __init__(self, path: str) -> None:
        lmdb = _lmdb(path)
        if not os.path.exists(path):
            raise DeepLabError(f"{path}: no such database")
        if not is_lmdb(path):
            what = "a LevelDB, not an LMDB" if is_leveldb(path) else "not an LMDB: no data.mdb in it"
            raise DeepLabError(f"{path}: {what}")
        self.path = path
        try:
            self._environment = _opened(lmdb, path)
            self._transaction = self._environment.begin(buffers=False)
            self._cursor = self._transaction.cursor()
            self._count = int(self._transaction.stat()["entries"])
            self._at, found = 0, self._cursor.first()
        except lmdb.Error as error:
            raise DeepLabError(f"{path}: cannot be read: {error}") from None
        if not found or not self._count:
            raise DeepLabError(f"{path}: the database is empty")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tuple[str, bytes]:
        """The key, as text, and the record."""
        wanted = number % self._count
        if wanted < self._at:
            self._cursor.first()
            self._at = 0
        while self._at < wanted:
            self._cursor.next()
            self._at += 1
        key, record = self._cursor.item()
        return key.decode("utf-8", "replace"), record


class LmdbWriter:
    """Writes a database: `writer[key] = record`; used through `writing`."""

    def __init__(self, environment: Any, full: type[Exception]) -> None:
        self._environment, self._full = environment, full
        self._waiting: list[tuple[bytes, bytes]] = []

    def __setitem__(self, key: str, record: bytes) -> None:
        self._waiting.append((key.encode(), record))
        if len(self._waiting) == _TRANSACTION:
            self.flush()

    def flush(self) -> None:
        """Writes what waits, the map enlarged as often as that takes."""
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, record in self._waiting:
                        transaction.put(key, record)
                break
            except self._full:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        self._waiting.clear()


@contextmanager
def writing(path: str) -> Iterator[LmdbWriter]:
    """A new LMDB to fill: it appears under `path`, whole, when the block ends without an error.

    Raises DeepLabError if there is something already, as Caffe's tools do.
    """
    lmdb = _lmdb(path)
    target = Path(path)
    if os.path.lexists(path):
        raise DeepLabError(f"{path}: exists already")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        environment = lmdb.open(str(temporary), map_size=_START_SIZE, sync=False)
        try:
            writer = LmdbWriter(environment, lmdb.MapFullError)
            yield writer
            writer.flush()
            environment.sync(True)
        finally:
            environment.close()
        (temporary / "lock.mdb").unlink(missing_ok=True)
        os.replace(temporary, target)
    except OSError as error:
        raise DeepLabError(f"{path}: {error.strerror or error}") from None
    except lmdb.Error as error:
        raise DeepLabError(f"{path}: cannot be written: {error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
