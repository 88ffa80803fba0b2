"""WindowData: windows of images, foreground and background, warped to one size, as R-CNN trains on them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..formats.mean_image import read_mean
from ..images.image_file import read_image
from ..images.image_list import generator
from ..images.resize import Window, resize_image
from ..images.window_file import Box, WindowFile, read_window_file
from ..types import Bytes, Floats, Pair, Shape
from .base import Layer, register


@dataclass(frozen=True)
class Warp:
    """Which part of an image is shown, how large it becomes, and how far from the top's corner it lies."""

    part: Window
    height: int
    width: int
    pad_top: int
    pad_left: int


@register("WindowData")
class WindowData(Layer):
    """Tops: data (N, C, crop_size, crop_size) and label: (N,), in v1 (N, 1, 1, 1).

    Of each batch fg_fraction are windows whose overlap reaches fg_threshold, drawn at random, the others,
    which come first, such as stay below bg_threshold, of label 0. What sample number i is depends on i and
    `context.seed` alone.
    """

    bottom_count = (0, 0)
    top_count = (2, 2)

    @override
    def setup(self) -> None:
        """Reads the fields; the file is read with the first batch."""
        param = self.definition.param
        self.data, self.transform = param.window_data_param, param.transform_param
        if not self.data.source:
            raise self.error("window_data_param.source", "missing")
        self.at_least("window_data_param.batch_size", self.data.batch_size, 1)
        self.crop = self.transform.crop_size
        if self.crop < 1:
            raise self.error("transform_param.crop_size", "missing, 1 or more wanted")
        if self.data.crop_mode not in ("warp", "square"):
            raise self.error("window_data_param.crop_mode", f"{self.data.crop_mode}: warp or square wanted")
        if 2 * self.data.context_pad >= self.crop:
            message = f"{self.data.context_pad} given, less than half of crop_size {self.crop} wanted"
            raise self.error("window_data_param.context_pad", message)
        if not 0 <= self.data.fg_fraction <= 1:
            raise self.error(
                "window_data_param.fg_fraction", f"{self.data.fg_fraction:g} given, 0 to 1 wanted"
            )
        self.mean_values = np.asarray(self.transform.mean_value, np.float32).reshape(-1, 1, 1)
        self.mean_image = self._read_mean() if self.transform.mean_file else None
        self._file: WindowFile | None = None
        self._cache: dict[str, Bytes] = {}

    def _read_mean(self) -> Floats:
        """The middle of the mean image, of the crop's size."""
        if len(self.mean_values):
            raise self.error("transform_param.mean_file", "given beside mean_value")
        try:
            mean = read_mean(self.transform.mean_file)
        except DeepLabError as error:
            raise self.error("transform_param.mean_file", str(error)) from None
        if min(mean.shape[1:]) < self.crop:
            raise self.error("transform_param.mean_file", f"{mean.shape}, smaller than crop_size {self.crop}")
        # Caffe takes the width's offset for both.
        start = (mean.shape[2] - self.crop) // 2
        if start + self.crop > mean.shape[1]:
            raise self.error("transform_param.mean_file", f"{mean.shape}: a square image wanted")
        return mean[:, start : start + self.crop, start : start + self.crop]

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """The batch size, the images' channels, and the crop size."""
        n = self.data.batch_size
        return [(n, self._windows().channels, self.crop, self.crop), self.definition.dialect.top_shape(n)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with windows drawn for this batch."""
        n = self.data.batch_size
        foreground = int(np.float32(n) * np.float32(self.data.fg_fraction))
        numbers = self.context.batch(self.passes, n)
        self.passes += 1
        for i, number in enumerate(numbers):
            values, label = self._sample(number, i >= n - foreground)
            tops[0][i].copy_(torch.from_numpy(values))
            tops[1][i] = label

    def _windows(self) -> WindowFile:
        if self._file is None:
            try:
                self._file = read_window_file(
                    self.data.source, self.data.root_folder, self.data.fg_threshold, self.data.bg_threshold
                )
            except DeepLabError as error:
                raise self.error("window_data_param.source", str(error)) from None
        return self._file

    def _sample(self, number: int, foreground: bool) -> tuple[Floats, int]:
        """The values of a window, (C, crop_size, crop_size), and its label."""
        file, chance = self._windows(), generator(self.context.seed, 0, number)
        boxes = file.foreground if foreground else file.background
        if not boxes:
            kind = "foreground" if foreground else "background"
            raise self.error("window_data_param.source", f"{self.data.source}: no {kind} windows in it")
        box = boxes[int(chance.integers(len(boxes)))]
        mirrored = bool(self.transform.mirror and chance.integers(2))
        try:
            return self._show(box, file.channels, mirrored), box.label
        except DeepLabError as error:
            raise self.error("window_data_param.source", f"{box.where}: {error}") from None

    def _show(self, box: Box, channels: int, mirrored: bool) -> Floats:
        image = self._image(box.image, channels)
        square = self.data.crop_mode == "square"
        warp = fit(box, image.shape[:2], self.crop, self.data.context_pad, square, mirrored)
        shown = resize_image(np.ascontiguousarray(warp.part.of(image)), warp.height, warp.width)
        planes = shown[:, :: -1 if mirrored else 1, ::-1].transpose(2, 0, 1).astype(np.float32)
        rows = slice(warp.pad_top, warp.pad_top + warp.height)
        columns = slice(warp.pad_left, warp.pad_left + warp.width)
        if self.mean_image is not None:
            planes -= self.mean_image[:, rows, columns]
        elif len(self.mean_values):
            if len(self.mean_values) not in (1, channels):
                raise DeepLabError(f"mean_value: {len(self.mean_values)} given for {channels} channels")
            planes -= self.mean_values
        values = np.zeros((channels, self.crop, self.crop), np.float32)
        values[:, rows, columns] = planes * np.float32(self.transform.scale)
        return values

    def _image(self, path: str, channels: int) -> Bytes:
        if path in self._cache:
            return self._cache[path]
        image = read_image(path, color=channels == 3)
        if self.data.cache_images:
            self._cache[path] = image
        return image


def fit(box: Box, size: Pair, crop: int, context: int, square: bool, mirrored: bool) -> Warp:
    """Where a window lies in the image of (height, width) and in the top, in the float32 numbers of Caffe.

    The window grows such that `context` pixels of the crop lie around it, to a square first if `square`; what
    reaches over the image's border becomes a margin of zeros.
    """
    x1, y1, x2, y2 = box.x1, box.y1, box.x2, box.y2
    if not context and not square:
        if not (0 <= x1 <= x2 < size[1] and 0 <= y1 <= y2 < size[0]):
            raise DeepLabError(
                f"window {x1} {y1} {x2} {y2} outside of the image's {size[0]}x{size[1]} pixels"
            )
        return Warp(Window(y1, x1, y2 - y1 + 1, x2 - x1 + 1), crop, crop, 0, 0)
    grown = np.float32(crop) / np.float32(crop - 2 * context)
    half_height, half_width = np.float32((y2 - y1 + 1) / 2), np.float32((x2 - x1 + 1) / 2)
    center_x, center_y = np.float32(x1) + half_width, np.float32(y1) + half_height
    if square:
        half_height = half_width = max(half_height, half_width)
    x1, x2 = _round(center_x - half_width * grown), _round(center_x + half_width * grown)
    y1, y2 = _round(center_y - half_height * grown), _round(center_y + half_height * grown)
    scale_x, scale_y = (np.float32(crop) / np.float32(length) for length in (x2 - x1 + 1, y2 - y1 + 1))
    over_left, over_top = max(0, -x1), max(0, -y1)
    over_right = max(0, x2 - size[1] + 1)
    x1, y1, x2, y2 = max(0, x1), max(0, y1), min(x2, size[1] - 1), min(y2, size[0] - 1)
    if x1 > x2 or y1 > y2:
        raise DeepLabError(f"window outside of the image's {size[0]}x{size[1]} pixels")
    part = Window(y1, x1, y2 - y1 + 1, x2 - x1 + 1)
    # The margin is mirrored, too.
    left = _round(np.float32(over_right if mirrored else over_left) * scale_x)
    top = _round(np.float32(over_top) * scale_y)
    # Rounding may have made it too large by a pixel.
    height = min(_round(np.float32(part.height) * scale_y), crop - top)
    width = min(_round(np.float32(part.width) * scale_x), crop - left)
    if height < 1 or width < 1:
        raise DeepLabError("window with no pixel of the image in the crop")
    return Warp(part, height, width, top, left)


def _round(value: np.float32) -> int:
    """C's round: halves away from zero."""
    return int(np.copysign(np.floor(np.abs(np.float64(value)) + 0.5), value))
