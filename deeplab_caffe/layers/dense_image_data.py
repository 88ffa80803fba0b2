"""DenseImageData: SegNet's and ENet's reader of images and their label maps."""

from typing import Any

import numpy as np
from typing_extensions import override

from ..formats import caffe_pb2
from ..images import image_list
from ..types import Pair
from .base import register
from .image_seg_data import PIXEL, ImageSegData


@register("DenseImageData")
class DenseImageData(ImageSegData):
    """Tops: data (N, C, h, w), label (N, 1, h, w), by lines of an image and its label map.

    As ImageSegData, but that a batch may be of images of one size without a crop, and that labels are divided
    by `label_divide_factor` (ENet).
    """

    top_count = (1, 2)
    field = "dense_image_data_param"
    batches_of_any_size = True

    @override
    def fields(self) -> Any:
        given = self.definition.param.dense_image_data_param
        self.divisor = given.label_divide_factor
        self.at_least(f"{self.field}.label_divide_factor", self.divisor, 1)
        same = {
            field.name: value for field, value in given.ListFields() if field.name != "label_divide_factor"
        }
        return caffe_pb2.ImageDataParameter(**same, label_type=PIXEL)

    @override
    def _label(self, entry: image_list.Entry, size: Pair) -> np.ndarray:
        return super()._label(entry, size) // self.divisor
