"""mean.binaryproto: the mean image of a training set, one BlobProto."""

import os

import numpy as np

from ..types import Floats
from . import caffe_pb2
from .files import read_bytes, reading, replacing

_MAX_BYTES = 1 << 25  # protobuf makes an object of each number


def read_mean(path: str | os.PathLike[str]) -> Floats:
    """The mean image (C, H, W), float32, channels in the order of the data (B, G, R for pictures).

    Raises DeepLabError: no such file, or no image of three axes in it.
    """
    data = read_bytes(path, _MAX_BYTES)
    with reading(path, "not a mean image"):
        blob = caffe_pb2.BlobProto.FromString(data)
        # Caffe lets the old four fields go before `shape`.
        old = any(map(blob.HasField, ("num", "channels", "height", "width")))
        shape = (blob.num, blob.channels, blob.height, blob.width) if old else tuple(blob.shape.dim)
        values = np.asarray(blob.double_data or blob.data, np.float32).reshape(shape)
        if values.ndim < 3 or not values.size or values.size != np.prod(values.shape[-3:]):
            raise ValueError(f"values of shape {values.shape}")
        return values.reshape(values.shape[-3:])


def write_mean(path: str | os.PathLike[str], mean: Floats) -> None:
    """Writes (C, H, W) as Caffe's compute_image_mean does, whole or not at all."""
    channels, height, width = mean.shape
    blob = caffe_pb2.BlobProto(num=1, channels=channels, height=height, width=width)
    blob.data.extend(np.asarray(mean, np.float32).ravel().tolist())
    with replacing(path) as file:
        file.write(blob.SerializeToString())
