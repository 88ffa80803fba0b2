"""What all readers of HDF5 files share: opening, and data sets that are safe to read.

A data set may point into other files, hold far more than the file's bytes, or have names that are no text;
h5py follows all of it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DeepLabError
from ..types import Floats
from .files import check_memory, file_size, named_file, reading

if TYPE_CHECKING:
    import h5py

NOT_WHOLE = "not a whole HDF5 file"


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator["h5py.File"]:
    """The file, open for reading. Raises DeepLabError, also for what goes wrong within the block."""
    import h5py  # only who asks for this form pays for it

    with reading(path, NOT_WHOLE), h5py.File(named_file(path), "r") as file:
        yield file


def member(parent: "h5py.Group", name: str) -> Any:
    """The group or data set of that name that lies in the same file; None if there is none."""
    import h5py

    at: Any = parent
    for part in name.split("/"):
        link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            return None
        at = at[part]
    return at


def is_set(item: Any) -> bool:
    """Whether it is a data set, and no group."""
    import h5py

    return isinstance(item, h5py.Dataset)


def is_numeric(item: Any) -> bool:
    """Whether it is a data set of real numbers."""
    return is_set(item) and item.shape is not None and item.dtype.kind in "fiub"


def sets_in(group: "h5py.Group", most: int) -> dict[str, "h5py.Dataset"]:
    """All data sets below a group that lie in the same file, by name. Raises ValueError: more than `most`."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str | bytes, item: Any) -> None:
        if isinstance(name, bytes):  # as h5py gives what is no UTF-8, and does not take it
            raise ValueError(f"a name in it is no UTF-8: {name!r}")
        if is_set(item):
            if len(found) >= most:
                raise ValueError(f"more than {most} arrays")
            found[name] = item

    group.visititems(visit)
    return found


def read_set(item: "h5py.Dataset", path: str | os.PathLike[str]) -> Floats:
    """The values of a numeric data set as float32. Raises DeepLabError: not in the file, or too many.

    To be called within open_hdf5's block.
    """
    name = str(item.name)
    if item.external or item.is_virtual:
        raise DeepLabError(f"{os.fspath(path)}: {name}: its values lie in other files")
    check_memory(path, file_size(path), memory_wanted(item), name)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite
        return np.ascontiguousarray(item[()], np.float32).reshape(item.shape)


def memory_wanted(item: "h5py.Dataset") -> int:
    """The bytes that reading takes: the values, their float32 copy, and a chunk, which is unpacked whole."""
    own = item.dtype.itemsize
    return prod(item.shape) * (own + 4) + prod(item.chunks or (0,)) * own
