"""Files of weights in every format there is: Caffe's, by layer, and other programs', by variable."""

import os
from collections.abc import Collection

from ..errors import DeepLabError
from .not_weights import what_instead
from .records import LayerBlobs
from .registry import ARRAYS, LAYERS, Format, import_formats
from .stored import StoredArray

import_formats("LAYERS")
import_formats("ARRAYS")


def read_layers(path: str | os.PathLike[str], in_file: bool = False) -> list[LayerBlobs]:
    """The layers of a caffemodel or of HDF5 weights (those by name, without types).

    in_file: see read_caffemodel. Raises DeepLabError; for another program's weights it says so.
    """
    if told := what_instead(path):
        raise DeepLabError(f"{os.fspath(path)}: {told}")
    try:
        found = LAYERS.find(path)
    except DeepLabError:
        if os.path.isfile(path) and (other := _other(path)):
            raise DeepLabError(
                f"{os.fspath(path)}: {other}; the verb convert makes a caffemodel of it"
            ) from None
        raise
    return found.read(path, in_file)


def find_arrays(path: str | os.PathLike[str], among: Collection[str] = ()) -> Format[dict[str, StoredArray]]:
    """The format of another program's weights; among: names of formats to look for. Raises DeepLabError."""
    try:
        return ARRAYS.find(path, among)
    except DeepLabError:
        if os.path.isfile(path) and (reason := _why_not(path)):
            raise DeepLabError(f"{os.fspath(path)}: {reason}") from None
        raise


def _why_not(path: str | os.PathLike[str]) -> str:
    """Why a file that no other program's format fits is none; "" if nobody knows."""
    try:
        found = LAYERS.find(path)
    except DeepLabError:
        return ""
    try:
        found.read(path)
        return f"{found.name}: weights of Caffe's already, as --weights takes them"
    except DeepLabError:
        keras = "HDF5: weights of Keras are not read; convert the model to .tflite with TensorFlow, and that"
        return keras if found.name == "HDF5" else ""


def _other(path: str | os.PathLike[str]) -> str:
    try:
        return find_arrays(path).name
    except DeepLabError:
        return ""
