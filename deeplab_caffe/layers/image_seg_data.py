"""ImageSegData: images and their label maps from a list, padded and cropped to one size."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from .. import types
from ..errors import DeepLabError
from ..images import image_file, image_list, preprocessing, resize
from ..types import Shape
from .base import register
from .parts.image_list_data import ImageListData

NONE, IMAGE, PIXEL = 0, 1, 2  # image_data_param.label_type


@dataclass(frozen=True)
class Sample:
    """One image (channels, h, w), its label map (1, h, w), and the (height, width) that show the image."""

    data: types.Floats
    label: types.Floats
    size: types.Pair


@register("ImageSegData")
class ImageSegData(ImageListData[Sample]):
    """Tops: data (N, C, h, w), label (N, 1, h, w), data_dim (N, 1, 1, 2): rows, columns that show the image.

    An image smaller than the crop is padded at the right and bottom with the mean, its label with
    ignore_label. TEST takes the middle crop, TRAIN a random one, of the image scaled by one of
    `scale_factors` (v2) and made brighter or darker by up to `brightness` (ours). Without a crop size the
    tops follow each image and the batch size must be 1.
    """

    top_count = (1, 3)
    batches_of_any_size = False  # without a crop; whether they fit is found out as they come

    @override
    def setup(self) -> None:
        super().setup()
        if self.transform.mean_file:
            raise self.error("transform_param.mean_file", "not for this layer; give mean_value")
        self.preprocessing = preprocessing.Preprocessing.of(self.transform)
        if problem := self.preprocessing.problem(self.channels):
            raise self.error("transform_param", problem)
        square = self.transform.crop_size
        self.crop = (self.transform.crop_height or square, self.transform.crop_width or square)
        if bool(self.crop[0]) != bool(self.crop[1]):
            raise self.error("transform_param.crop_height", "give crop_height and crop_width, or crop_size")
        if not (self.crop[0] or self.batches_of_any_size) and self.data.batch_size > 1:
            raise self.error(
                f"{self.field}.batch_size", f"{self.data.batch_size} images of any size need a crop_size"
            )
        for factor in self.transform.scale_factors:
            if not 0 < factor <= 16:
                raise self.error("transform_param.scale_factors", f"{factor:g} given, 0 to 16 wanted")
        if not 0 <= self.transform.brightness < 1:
            given = f"{self.transform.brightness:g} given"
            raise self.error("transform_param.brightness", f"{given}, 0 <= brightness < 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of data, label, data_dim."""
        height, width = self.crop
        if not height:
            height, width = self.peek().data.shape[1:]
        n = self.data.batch_size
        shapes: list[Shape] = [(n, self.channels, height, width), (n, 1, height, width), (n, 1, 1, 2)]
        return shapes[: len(self.definition.tops)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with the next images of the list, which starts again at its end."""
        for n, sample in enumerate(self.take()):
            size = np.array(sample.size, np.float32)
            if sample.data.shape != tops[0].shape[1:]:
                raise self.error(f"{self.field}.source", "images of several sizes in one batch")
            for top, values in zip(tops, (sample.data, sample.label, size), strict=False):
                top[n].copy_(torch.from_numpy(values).reshape(top[n].shape))

    @override
    def sample(self, entry: image_list.Entry, generator: "np.random.Generator") -> Sample:
        image = self.read(entry)
        label = self._label(entry, image.shape[:2])
        if label.shape != image.shape[:2]:
            raise DeepLabError(
                f"{entry.image} has {image.shape[0]}x{image.shape[1]} pixels, "
                f"its label map {entry.label} {label.shape[0]}x{label.shape[1]}"
            )
        height, width = self._size(image, generator)
        shown = self._window(height, width, generator)
        image = resize.resize_image(image, height, width, shown)
        label = resize.resize_label(label, height, width, shown)
        data = self.preprocessing.blob(self._brighten(image, generator))
        data = preprocessing.pad(data, *self.crop)
        label = preprocessing.pad(label[None].astype(np.float32), *self.crop, self.data.ignore_label)
        if self.transform.mirror and generator.integers(2):
            data, label = data[:, :, ::-1], label[:, :, ::-1]
        return Sample(np.ascontiguousarray(data), np.ascontiguousarray(label), (shown.height, shown.width))

    def _size(self, image: types.Bytes, generator: "np.random.Generator") -> types.Pair:
        """Rows and columns of the image before it is cropped."""
        height, width = self.data.new_height or image.shape[0], self.data.new_width or image.shape[1]
        factors = self.transform.scale_factors
        if self.train and factors:
            factor = factors[int(generator.integers(len(factors)))]
            height, width = max(1, round(height * factor)), max(1, round(width * factor))
        return height, width

    def _window(self, height: int, width: int, generator: "np.random.Generator") -> resize.Window:
        """The part of an image of this size that the tops show."""
        rows, columns = (min(c or size, size) for c, size in zip(self.crop, (height, width), strict=True))
        top = self.offset(height, rows, generator)
        return resize.Window(top, self.offset(width, columns, generator), rows, columns)

    def _brighten(self, image: types.Bytes, generator: "np.random.Generator") -> types.Bytes:
        most = self.transform.brightness
        if not (self.train and most):
            return image
        factor = np.float32(generator.uniform(1 - most, 1 + most))
        return np.rint((image * factor).clip(0, 255)).astype(np.uint8)

    def _label(self, entry: image_list.Entry, size: types.Pair) -> np.ndarray:
        """The label map. label_type IMAGE repeats the number; NONE, has_label: false ignore_label."""
        kind = self.data.label_type if self.data.has_label else NONE
        if kind == PIXEL:
            if not entry.label:
                raise DeepLabError("no label map in this line (label_type: PIXEL)")
            return image_file.read_label(image_list.join(self.data.root_folder, entry.label))
        if kind == NONE:
            return np.full(size, self.data.ignore_label, np.int64)
        try:
            return np.full(size, int(entry.label or 0), np.int64)
        except ValueError:
            raise DeepLabError(f"label {entry.label}: a number wanted (label_type: IMAGE)") from None
