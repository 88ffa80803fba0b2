"""ImageData: images and one number each from a list, as nets for classification read them."""

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..images import image_list, resize
from ..types import Shape
from .base import register
from .parts.image_list_data import ImageListData
from .parts.transform import Transform

Sample = tuple[np.ndarray, int]  # image (channels, h, w), label


@register("ImageData")
class ImageData(ImageListData[Sample]):
    """Tops: data (N, C, h, w) and, if asked for, label: (N,), in v1 (N, 1, 1, 1).

    new_height and new_width resize; crop_size takes the middle (TEST) or a random crop (TRAIN), which the
    image must be large enough for. The mean is `mean_value` or `mean_file`.
    """

    top_count = (1, 2)

    @override
    def setup(self) -> None:
        super().setup()
        self.transform_image = Transform(self)
        self.fixed = bool(self.transform.crop_size or self.data.new_height)
        if not self.fixed and self.data.batch_size > 1:
            raise self.error(
                "image_data_param.batch_size",
                f"{self.data.batch_size} images of any size need a crop_size or new_height and new_width",
            )

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of data and label."""
        crop = self.transform.crop_size
        height, width = (crop, crop) if crop else (self.data.new_height, self.data.new_width)
        if not self.fixed:
            height, width = self.peek()[0].shape[1:]
        n = self.data.batch_size
        label = self.definition.dialect.top_shape(n)
        return [(n, self.channels, height, width), label][: len(self.definition.tops)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with the next images of the list, which starts again at its end."""
        for n, (image, label) in enumerate(self.take()):
            tops[0][n].copy_(torch.from_numpy(image))
            if len(tops) == 2:
                tops[1][n] = label

    @override
    def sample(self, entry: image_list.Entry, generator: "np.random.Generator") -> Sample:
        try:
            label = int(entry.label or 0)
        except ValueError:
            raise DeepLabError(f"label {entry.label}: a number wanted") from None
        image = self.read(entry)
        if self.data.new_height:
            image = resize.resize_image(image, self.data.new_height, self.data.new_width)
        try:
            return self.transform_image(image[:, :, ::-1].transpose(2, 0, 1), generator), label
        except DeepLabError as error:
            raise DeepLabError(f"{entry.image}: {error}") from None
