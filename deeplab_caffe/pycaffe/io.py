"""caffe.io: images, messages and the Transformer."""

import importlib
from typing import Any

from ..errors import DeepLabError
from ..formats import caffe_pb2
from .conversions import (
    array_to_blobproto,
    array_to_datum,
    arraylist_to_blobprotovector_str,
    blobproto_to_array,
    blobprotovector_str_to_arraylist,
    datum_to_array,
)
from .image_arrays import load_image, oversample, resize_image
from .transformer import Transformer

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

# Names that pycaffe's module happened to import, which some scripts use.
_OF_LIBRARIES = {
    "np": ("numpy", ""),
    "resize": ("skimage.transform", "resize"),
    "skimage": ("skimage.io", ""),
    "zoom": ("scipy.ndimage", "zoom"),
}


def __getattr__(name: str) -> Any:
    if name not in _OF_LIBRARIES:
        raise AttributeError(f"module 'caffe.io' has no attribute {name!r}")
    module, member = _OF_LIBRARIES[name]
    try:
        found = importlib.import_module(module)
    except ImportError:
        raise DeepLabError(
            f"caffe.io.{name}: this needs {module.partition('.')[0]}: pip install 'deeplab_caffe[pycaffe]'"
        ) from None
    return getattr(found, member) if member else importlib.import_module(module.partition(".")[0])
