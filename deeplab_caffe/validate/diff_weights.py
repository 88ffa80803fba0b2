"""Two files of weights, blob by blob: shapes, differing bits, ulps, errors."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from typing import Any, Literal

import torch

from ..errors import DeepLabError
from ..formats.file_blob import FileBlob, in_memory
from ..formats.weights import find_arrays, read_layers
from ..types import Floats, Shape
from .results import Numbers, plain
from .theirs import fitted
from .ulp import compare

Status = Literal["equal", "different", "shape", "only in the first", "only in the second"]


@dataclass(frozen=True)
class BlobDiff:
    """A blob ("conv1/0": the first of layer conv1; or a variable's name) in both files.

    numbers: those of validate, the first file in place of ours; None where it is not in both, in one shape.
    """

    name: str
    status: Status
    first: list[int]
    second: list[int]
    numbers: Numbers | None = None


@dataclass(frozen=True)
class WeightsDiff:
    """same: the same blobs with the same bits. values: how many were compared."""

    same: bool
    first: str
    second: str
    values: int
    blobs: list[BlobDiff]

    def to_json(self) -> dict[str, Any]:
        """As plain lists, dictionaries and numbers; infinity as text."""
        return {"kind": "weights", **plain(asdict(self))}


@dataclass(frozen=True)
class _Blob:
    shape: Shape
    read: Callable[[], Floats]


def diff_weights(first: str | PathLike[str], second: str | PathLike[str]) -> WeightsDiff:
    """What differs, in the first file's order; a blob of each is in memory at a time. Raises DeepLabError."""
    ours, theirs = _read(first), _read(second)
    found = [_diff(name, blob, theirs.get(name)) for name, blob in ours.items()]
    found += [
        BlobDiff(name, "only in the second", [], list(blob.shape))
        for name, blob in theirs.items()
        if name not in ours
    ]
    if not set(ours) & set(theirs):
        names = " and ".join(", ".join([*blobs][:3]) + ", ..." for blobs in (ours, theirs))
        raise DeepLabError(f"{first}, {second}: no blob is in both; they have {names}")
    values = sum(blob.numbers.count for blob in found if blob.numbers)
    return WeightsDiff(all(blob.status == "equal" for blob in found), str(first), str(second), values, found)


def _diff(name: str, blob: _Blob, other: _Blob | None) -> BlobDiff:
    shape = list(blob.shape)
    if other is None:
        return BlobDiff(name, "only in the first", shape, [])
    theirs = fitted(other.read(), blob.shape)
    if theirs.shape != blob.shape:
        return BlobDiff(name, "shape", shape, list(other.shape))
    numbers, _ = compare(blob.read(), theirs)
    status: Status = "different" if numbers.different else "equal"
    return BlobDiff(name, status, shape, list(other.shape), numbers)


def _read(path: str | PathLike[str]) -> dict[str, _Blob]:
    """Caffe's weights by layer and number, other programs' by variable."""
    try:
        found = find_arrays(path)
    except DeepLabError:
        blobs = {}
        for layer in read_layers(path, in_file=True):
            for number, blob in enumerate(layer.blobs):
                blobs[f"{layer.name}/{number}"] = _Blob(tuple(blob.shape), partial(_values, blob))
        return blobs
    return {name: _Blob(tuple(array.shape), array.read) for name, array in found.read(path).items()}


def _values(blob: torch.Tensor | FileBlob) -> Floats:
    return in_memory(blob).numpy()
