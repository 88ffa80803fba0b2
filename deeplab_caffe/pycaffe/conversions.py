"""Arrays to and from Caffe's messages: BlobProto, BlobProtoVector, Datum."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..formats import caffe_pb2


def blobproto_to_array(blob: Any, return_diff: bool = False) -> NDArray:
    """The data of a BlobProto, or its diff, as float64, in its own shape or the older one of four axes.

    A blob without a shape holds one number. DeepLabError, a ValueError, where the shape does not fit.
    """
    if return_diff:
        values = np.array(blob.double_diff if len(blob.double_diff) else blob.diff, np.float64)
    else:
        values = np.array(blob.double_data if len(blob.double_data) else blob.data, np.float64)
    if any(blob.HasField(field) for field in ("num", "channels", "height", "width")):
        shape = (blob.num, blob.channels, blob.height, blob.width)
    else:
        shape = tuple(blob.shape.dim)
    if values.size != np.prod(shape, dtype=np.int64):
        raise DeepLabError(f"a BlobProto of shape {shape} that holds {values.size} numbers")
    return values.reshape(shape)


def array_to_blobproto(arr: NDArray, diff: NDArray | None = None) -> Any:
    """A BlobProto of the array's shape and values; `diff` wants the same shape, which is not checked."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(np.float64).ravel())
    if diff is not None:
        blob.diff.extend(diff.astype(np.float64).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[NDArray]) -> bytes:
    """The arrays as a serialized BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend(array_to_blobproto(array) for array in arraylist)
    return vector.SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[NDArray]:
    """The arrays of a serialized BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.ParseFromString(str)
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: NDArray, label: int | None = None) -> Any:
    """A Datum of a (C, H, W) array: bytes of uint8, floats of any other type.

    DeepLabError, a ValueError, for other numbers of axes.
    """
    if arr.ndim != 3:
        raise DeepLabError(f"array_to_datum: (C, H, W) wanted, an array of shape {arr.shape} given")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(np.float64).ravel())
    if label is not None:
        datum.label = int(label)
    return datum


def datum_to_array(datum: Any) -> NDArray:
    """The (C, H, W) array of a Datum: uint8 where it holds bytes, else float64. Its label is `datum.label`.

    DeepLabError, a ValueError, where the shape does not fit or the bytes are an encoded image.
    """
    if datum.encoded:
        raise DeepLabError("datum_to_array: this Datum holds an encoded image (JPEG or PNG), not pixels")
    values = (
        np.frombuffer(datum.data, np.uint8).copy()
        if len(datum.data)
        else np.array(datum.float_data, np.float64)
    )
    shape = (datum.channels, datum.height, datum.width)
    if values.size != np.prod(shape, dtype=np.int64):
        raise DeepLabError(f"a Datum of shape {shape} that holds {values.size} numbers")
    return values.reshape(shape)
