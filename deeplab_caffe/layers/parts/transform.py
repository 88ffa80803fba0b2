"""transform_param: what Data, ImageData and WindowData do to an image's values."""

import numpy as np
from numpy.typing import NDArray

from ...errors import DeepLabError
from ...formats.mean_image import read_mean
from ...images import resize
from ...types import Floats
from ..base import Layer


class Transform:
    """Crop, mirror, mean and scale as BVLC Caffe's layers have them: (value - mean) * scale in float32.

    The mean is `mean_file`, of the image's own size, or `mean_value`: one, or one a channel. In TRAIN the
    crop lies anywhere, in TEST in the middle; `mirror` mirrors half of the images, whatever the phase.
    """

    def __init__(self, layer: Layer) -> None:
        self.param = layer.definition.param.transform_param
        self.train = layer.context.phase == "train"
        for field in ("channel_order", "std_value", "brightness"):
            if getattr(self.param, field):
                raise layer.error(f"transform_param.{field}", "not for this layer; ImageSegData has it")
        self.mean_values = np.asarray(self.param.mean_value, np.float32).reshape(-1, 1, 1)
        self.mean_image: Floats | None = None
        if self.param.mean_file and not layer.context.shapes_only:
            if len(self.mean_values):
                raise layer.error("transform_param.mean_file", "given beside mean_value")
            try:
                self.mean_image = read_mean(self.param.mean_file)
            except DeepLabError as error:
                raise layer.error("transform_param.mean_file", str(error)) from None

    def __call__(self, planes: NDArray, generator: "np.random.Generator") -> Floats:
        """(C, H, W) values as (C, h, w) float32, in new memory; DeepLabError where sizes do not fit."""
        channels, height, width = planes.shape
        crop = self.param.crop_size
        if crop > min(height, width):
            raise DeepLabError(f"{height}x{width} pixels, fewer than crop_size {crop}")
        data = planes.astype(np.float32)
        if self.mean_image is not None:
            if self.mean_image.shape != planes.shape:
                raise DeepLabError(f"mean_file has shape {self.mean_image.shape}, the image {planes.shape}")
            data -= self.mean_image
        elif len(self.mean_values):
            if len(self.mean_values) not in (1, channels):
                raise DeepLabError(f"mean_value: {len(self.mean_values)} given for {channels} channels")
            data -= self.mean_values
        if crop:
            top, left = (self.offset(size, crop, generator) for size in (height, width))
            data = resize.crop(data, top, left, crop, crop)
        if self.param.mirror and generator.integers(2):
            data = data[:, :, ::-1]
        return np.ascontiguousarray(data) * np.float32(self.param.scale)

    def offset(self, size: int, crop: int, generator: "np.random.Generator") -> int:
        """Where a crop begins: anywhere (TRAIN), or so that it is the middle one (TEST)."""
        return int(generator.integers(size - crop + 1)) if self.train else (size - crop) // 2
