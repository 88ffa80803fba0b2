"""Reads what other programs left: folders of dumps, .npz, .h5, .mat, .bin, label maps, weights, hashes."""

import json
import os
import re
import struct
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..errors import DeepLabError
from ..formats.file_blob import FileBlob, in_memory
from ..formats.files import open_file, read_bytes, reading
from ..formats.hdf5_arrays import read_hdf5_arrays
from ..formats.npy import read_npy
from ..formats.npz import read_npz
from ..formats.scores import read_scores
from ..formats.stored import StoredArray
from ..formats.weights import read_layers
from ..images.image_file import read_label
from .theirs import Catalog, Theirs, mangled

_MAX_RECORDS = 64 << 20  # bytes of a JSON file
_NUMBER = re.compile(r"^\d{3,}_(?=.)")  # what `forward --dump` puts before the layer's name


def read_against(paths: list[Path]) -> Catalog:
    """All arrays in files and folders. DeepLabError: not there, of no known kind, nothing in it."""
    catalog = Catalog()
    for path in paths:
        before = len(catalog.items)
        if path.is_dir():
            _add_folder(catalog, path, "")
        else:
            _add_file(catalog, path, "")
        if len(catalog.items) == before:
            raise DeepLabError(f"{path}: nothing in it to compare with; looked for {_known()}")
    return catalog


def _add_folder(catalog: Catalog, folder: Path, name: str) -> None:
    """Files first those that say what the others are; folders in it are of one image or pass each."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in sorted(files, key=lambda path: path.suffix.lower() != ".json"):
        if path.suffix.lower() in _READERS:
            _add_file(catalog, path, name)
    if not name:
        for path in sorted(path for path in folder.iterdir() if path.is_dir()):
            _add_folder(catalog, path, path.name)


def _add_file(catalog: Catalog, path: Path, folder: str) -> None:
    reader = _READERS.get(path.suffix.lower())
    if not path.exists():
        raise DeepLabError(f"{path}: no such file or folder")
    if not path.is_file():
        raise DeepLabError(f"{path}: neither a file nor a folder")
    if reader is None:
        raise DeepLabError(f"{path}: a file of no known kind; looked for {_known()}")
    reader(catalog, path, folder)


def _names(path: Path) -> tuple[str, ...]:
    """012_conv1__conv1.npy: that without its number, or with it."""
    short = _NUMBER.sub("", path.stem)
    return (path.stem,) if short == path.stem else (short, path.stem)


def _npy(catalog: Catalog, path: Path, folder: str) -> None:
    if path in catalog.recorded:
        return
    values = read_npy(path)
    catalog.add(Theirs(str(path), _names(path), "blob", folder, values.shape, partial(read_npy, path)))


def _arrays(
    read: Callable[[Path], dict[str, StoredArray]], catalog: Catalog, path: Path, folder: str
) -> None:
    for name, array in read(path).items():
        names = mangled(name), mangled(name.rpartition("/")[2])
        catalog.add(Theirs(f"{path}: {name}", names, "blob", folder, tuple(array.shape), array.read))


def _hdf5(catalog: Catalog, path: Path, folder: str) -> None:
    arrays = read_hdf5_arrays(path)
    if arrays and all(re.fullmatch(r"data/.+/\d+", name) for name in arrays):
        _weights(catalog, path, folder)
    else:
        _arrays(lambda _: arrays, catalog, path, folder)


def _scores(catalog: Catalog, path: Path, folder: str) -> None:
    catalog.add(Theirs(str(path), _names(path), "scores", folder, None, lambda: read_scores(path).values))


def _bin(catalog: Catalog, path: Path, folder: str) -> None:
    """Scores (rows, columns, labels), or a label map; which of them the file's length tells."""
    with open_file(path) as file, reading(path):
        header, size = file.read(12), os.fstat(file.fileno()).st_size
    count = prod(struct.unpack("<3i", header)) if len(header) == 12 else 0
    if size == 12 + 2 * count:
        read = partial(_bin_values, path, 0)
        catalog.add(Theirs(str(path), _names(path), "labels", folder, None, read))
    else:
        read = partial(_bin_values, path, None)
        catalog.add(Theirs(str(path), _names(path), "scores", folder, None, read))


def _bin_values(path: Path, part: int | None) -> NDArray:
    return read_scores(path).values.transpose(2, 0, 1)[part]


def _labels(catalog: Catalog, path: Path, folder: str) -> None:
    catalog.add(Theirs(str(path), _names(path), "labels", folder, None, partial(read_label, path)))


def _weights(catalog: Catalog, path: Path, folder: str) -> None:
    for layer in read_layers(path, in_file=True):
        for number, blob in enumerate(layer.blobs):
            name, read = f"{layer.name}/{number}", partial(_weight, blob)
            catalog.add(Theirs(f"{path}: {name}", (name,), "parameter", folder, tuple(blob.shape), read))


def _weight(blob: Tensor | FileBlob) -> NDArray:
    return in_memory(blob).numpy()


def _records(catalog: Catalog, path: Path, folder: str) -> None:
    """The forward.json of `forward --dump`, or one like it: layer, blob, shape, sha256, perhaps a file."""
    with reading(path, "no JSON"):
        contents = json.loads(read_bytes(path, _MAX_RECORDS))
    records = contents.get("layers") if isinstance(contents, dict) else None
    if not isinstance(records, list) or "format" in contents:
        return  # somebody else's, or an earlier report
    for number, record in enumerate(records):
        if not (isinstance(record, dict) and "note" in record):  # that there are no values
            catalog.add(_record(catalog, record, path, folder, f"{path}: layers[{number}]"))


def _record(catalog: Catalog, record: Any, path: Path, folder: str, where: str) -> Theirs:
    try:
        layer, blob, sha256 = (str(record[field]) for field in ("layer", "blob", "sha256"))
        shape = tuple(int(size) for size in record["shape"])
        file = path.parent / str(record["file"]) if record.get("file") else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        wanted = "layer, blob, shape and sha256 wanted"
        raise DeepLabError(f"{where}: {wanted} ({type(error).__name__}: {error})") from None
    read = partial(read_npy, file) if file and file.is_file() else None
    if file:
        catalog.recorded.add(file)
    place = str(file) if read else f"{path}: {layer}, {blob}"
    names = mangled(layer, blob), *((_names(file)) if file else ())
    return Theirs(place, tuple(dict.fromkeys(names)), "blob", folder, shape, read, sha256.lower())


_READERS: dict[str, Callable[[Catalog, Path, str], None]] = {
    ".npy": _npy,
    ".npz": partial(_arrays, read_npz),
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".mat": _scores,
    ".bin": _bin,
    ".png": _labels,
    ".json": _records,
    ".caffemodel": _weights,
}


def _known() -> str:
    return ", ".join(_READERS)
