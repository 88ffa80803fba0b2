"""ImageSegData: images and their label maps from a list, padded and cropped to one size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .. import image_list, transforms
from ..errors import DeepLabError
from .base import Layer, Shape, register

NONE, IMAGE, PIXEL = 0, 1, 2  # image_data_param.label_type


@dataclass(frozen=True)
class Sample:
    """One image (channels, h, w), its label map (1, h, w), and the (height, width) that show the image."""

    data: transforms.Floats
    label: transforms.Floats
    size: tuple[int, int]


@register("ImageSegData")
class ImageSegData(Layer):
    """Tops: data (N, C, h, w), label (N, 1, h, w), data_dim (N, 1, 1, 2): rows, columns that show the image.

    An image smaller than the crop is padded at the right and bottom with the mean, its label with
    ignore_label. TEST takes the middle crop, TRAIN a random one, scaled by one of `scale_factors` (v2).
    Without a crop size the tops follow each image and the batch size must be 1.
    """

    bottom_count = (0, 0)
    top_count = (1, 3)

    def setup(self) -> None:
        """Reads the fields; the list itself is read with the first image."""
        data, self.transform = self.definition.param.image_data_param, self.definition.param.transform_param
        self.data = data
        if not data.source:
            raise self.error("image_data_param.source", "missing")
        if data.batch_size < 1:
            raise self.error("image_data_param.batch_size", f"{data.batch_size} given, 1 or more wanted")
        if bool(data.new_height) != bool(data.new_width):
            raise self.error("image_data_param.new_height", "give new_height and new_width, or neither")
        if self.transform.mean_file:
            raise self.error("transform_param.mean_file", "not for this layer; give mean_value")
        self.channels = 3 if data.is_color else 1
        if len(self.transform.mean_value) not in (0, 1, self.channels):
            raise self.error("transform_param.mean_value", f"1 or {self.channels} values wanted")
        self.preprocessing = transforms.Preprocessing.of(self.transform)
        if problem := self.preprocessing.problem(self.channels):
            raise self.error("transform_param", problem)
        square = self.transform.crop_size
        self.crop = (self.transform.crop_height or square, self.transform.crop_width or square)
        if bool(self.crop[0]) != bool(self.crop[1]):
            raise self.error("transform_param.crop_height", "give crop_height and crop_width, or crop_size")
        if not self.crop[0] and data.batch_size > 1:
            raise self.error(
                "image_data_param.batch_size", f"{data.batch_size} images of any size need a crop_size"
            )
        self.generator = image_list.random_generator()
        self._entries: Iterator[image_list.Entry] | None = None
        self._next: Sample | None = None

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of data, label, data_dim."""
        height, width = self.crop
        if not height:
            height, width = self._peek().data.shape[1:]
        n = self.data.batch_size
        shapes = [(n, self.channels, height, width), (n, 1, height, width), (n, 1, 1, 2)]
        return shapes[: len(self.definition.tops)]

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """Fills the tops with the next images of the list, which starts again at its end."""
        for n in range(self.data.batch_size):
            sample = self._peek()
            self._next = None
            for top, values in zip(tops, (sample.data, sample.label, np.float32(sample.size)), strict=False):
                top[n].copy_(torch.from_numpy(values).reshape(top[n].shape))

    def _peek(self) -> Sample:
        """The sample that comes next, read once."""
        if self._next is None:
            if self._entries is None:
                entries = image_list.read_list(self.data.source, self.data.root_folder)
                self._entries = image_list.endless(
                    entries, self.data.shuffle, self.data.rand_skip, self.generator
                )
            entry = next(self._entries)
            try:
                self._next = self._sample(entry)
            except DeepLabError as error:
                raise self.error("image_data_param.source", f"{entry.where}: {error}") from None
        return self._next

    def _sample(self, entry: image_list.Entry) -> Sample:
        image = transforms.read_image(entry.image, color=self.data.is_color)
        label = self._label(entry, image.shape[:2])
        if label.shape != image.shape[:2]:
            raise DeepLabError(
                f"{entry.image} has {image.shape[0]}x{image.shape[1]} pixels, "
                f"its label map {entry.label} {label.shape[0]}x{label.shape[1]}"
            )
        height, width = self.data.new_height or image.shape[0], self.data.new_width or image.shape[1]
        factors = self.transform.scale_factors
        if self.context.phase == "train" and factors:
            factor = factors[int(self.generator.integers(len(factors)))]
            height, width = max(1, round(height * factor)), max(1, round(width * factor))
        if (height, width) != image.shape[:2]:
            image = transforms.resize_image(image, height, width)
            label = transforms.resize_label(label, height, width)
        data = self.preprocessing.blob(image)
        return self._crop(data, label[None].astype(np.float32))

    def _label(self, entry: image_list.Entry, size: tuple[int, int]) -> np.ndarray:
        """The label map. label_type IMAGE repeats the number; NONE, has_label: false ignore_label."""
        kind = self.data.label_type if self.data.has_label else NONE
        if kind == PIXEL:
            if not entry.label:
                raise DeepLabError("no label map in this line (label_type: PIXEL)")
            return transforms.read_label(image_list.join(self.data.root_folder, entry.label))
        if kind == NONE:
            return np.full(size, self.data.ignore_label, np.int64)
        try:
            return np.full(size, int(entry.label or 0), np.int64)
        except ValueError:
            raise DeepLabError(f"label {entry.label}: a number wanted (label_type: IMAGE)") from None

    def _crop(self, data: np.ndarray, label: np.ndarray) -> Sample:
        height, width = data.shape[1:]
        if self.crop[0]:
            data = transforms.pad(data, *self.crop)
            label = transforms.pad(label, *self.crop, self.data.ignore_label)
            top, left = (self._offset(size, c) for size, c in zip(data.shape[1:], self.crop, strict=True))
            data, label = (transforms.crop(x, top, left, *self.crop) for x in (data, label))
            height, width = min(height, self.crop[0]), min(width, self.crop[1])
        if self.transform.mirror and self.generator.integers(2):
            data, label = data[:, :, ::-1], label[:, :, ::-1]
        return Sample(np.ascontiguousarray(data), np.ascontiguousarray(label), (height, width))

    def _offset(self, size: int, crop: int) -> int:
        if self.context.phase == "train":
            return int(self.generator.integers(size - crop + 1))
        return (size - crop) // 2
