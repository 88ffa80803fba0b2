"""caffe.Classifier: class probabilities of images, of one crop each or the mean of ten."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .image_arrays import oversample as ten_crops
from .image_arrays import resize_image
from .image_net import ImageNet


class Classifier(ImageNet):
    """A net of the test phase with weights, for images of R, G, B from 0 to 1.

    image_dims: (height, width) that images are resized to before they are cropped, by default the net's own
    size, `crop_dims`. mean, input_scale, raw_scale, channel_swap: as the Transformer takes them.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: NDArray | None = None,
        input_scale: Any = None,
        raw_scale: Any = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].data.shape[2:])
        self.image_dims: Any = self.crop_dims if image_dims is None or not len(image_dims) else image_dims

    def predict(self, inputs: Sequence[NDArray], oversample: bool = True) -> Floats:
        """Probabilities (N, classes) of N images (H, W, K): of the centre, or the mean of ten crops.

        Without `oversample` the shape is that of the net's first output, which may have more axes.
        """
        if not len(inputs):
            raise DeepLabError("predict: no images given")
        images = np.stack([resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            scores = self._scores(list(ten_crops(list(images), tuple(self.crop_dims))))
            return scores.reshape(len(images), 10, -1).mean(axis=1)
        centre, half = np.array(self.image_dims) / 2.0, self.crop_dims / 2.0
        (top, left), (bottom, right) = (centre - half).astype(int), (centre + half).astype(int)
        return self._scores(list(images[:, top:bottom, left:right]))
