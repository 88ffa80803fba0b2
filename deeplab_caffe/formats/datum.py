"""Datum: one record of an LMDB of Caffe's, an image or features with a label."""

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from ..errors import DeepLabError
from . import caffe_pb2


def read_datum(record: bytes, where: str) -> Any:
    """The Datum message; DeepLabError, which begins with `where`, if it is none."""
    try:
        datum = caffe_pb2.Datum.FromString(record)
    except DecodeError:
        raise DeepLabError(f"{where}: not a Datum") from None
    if not datum.data and not datum.float_data:
        raise DeepLabError(f"{where}: a Datum without data")
    return datum


def datum_array(datum: Any, where: str) -> NDArray:
    """The values of a Datum that is not encoded: bytes (C, H, W), or float32 if it has float_data only."""
    shape = (datum.channels, datum.height, datum.width)
    values = (
        np.frombuffer(datum.data, np.uint8) if datum.data else np.asarray(datum.float_data, dtype=np.float32)
    )
    if min(shape) < 1 or values.size != np.prod(shape, dtype=np.int64):
        raise DeepLabError(f"{where}: {values.size} values, the Datum says {'x'.join(map(str, shape))}")
    return values.reshape(shape)


def array_datum(values: NDArray, label: int = 0) -> Any:
    """The Datum of (C, H, W): bytes as `data`, anything else as `float_data`."""
    channels, height, width = values.shape
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width, label=label)
    if values.dtype == np.uint8:
        datum.data = np.ascontiguousarray(values).tobytes()
    else:
        datum.float_data.extend(np.asarray(values, np.float32).ravel().tolist())
    return datum
