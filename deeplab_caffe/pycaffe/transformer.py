"""caffe.io.Transformer: from an image to what a net's input takes, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .image_arrays import resize_image


class Transformer:
    """What is done to the images of each input of a net; nothing but float32 and resizing until it is set.

    inputs: the shape of each input, (N, C, H, W), by its name. Every method takes the input's name first and
    raises DeepLabError for a name that is not there.

    `preprocess` does, in this order: float32, resize_image to (H, W), the transpose, the channel swap, times
    the raw scale, minus the mean, times the input scale.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, Any] = {}
        self.mean: dict[str, NDArray] = {}
        self.input_scale: dict[str, Any] = {}

    def preprocess(self, in_: str, data: NDArray) -> Floats:
        """An image (H', W', C) as the input wants it, (C, H, W) float32; the image stays as it is."""
        size = self._shape(in_)[2:]
        if data.shape[:2] != size:
            blob = resize_image(data.astype(np.float32), size)
        else:
            blob = np.array(data, np.float32)
        if in_ in self.transpose:
            blob = blob.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            blob = blob[list(self.channel_swap[in_])]
        # In place: a mean in float64 is subtracted in float64 and rounded once.
        if in_ in self.raw_scale:
            blob *= _plain(self.raw_scale[in_])
        if in_ in self.mean:
            blob -= self.mean[in_]
        if in_ in self.input_scale:
            blob *= _plain(self.input_scale[in_])
        return blob

    def deprocess(self, in_: str, data: NDArray) -> NDArray:
        """A blob (C, H, W), or (1, C, H, W), back as an image; what was resized stays so."""
        self._shape(in_)
        image = data.copy().squeeze()
        if in_ in self.input_scale:
            image /= _plain(self.input_scale[in_])
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= _plain(self.raw_scale[in_])
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of the axes: (2, 0, 1) makes (C, H, W) of (H, W, C)."""
        axes = len(self._shape(in_)) - 1
        if len(order) != axes:
            raise DeepLabError(f"set_transpose: {axes} axes wanted for {in_}, {len(order)} given")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of the channels, behind the transpose: (2, 1, 0) makes B, G, R of R, G, B."""
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise DeepLabError(f"set_channel_swap: {channels} channels wanted for {in_}, {len(order)} given")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: Any) -> None:
        """A factor before the mean is subtracted: 255 for nets that were trained on bytes."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: NDArray) -> None:
        """What is subtracted: a value for each channel (C,), or for each pixel (C, H', W'), which is resized.

        Raises DeepLabError, a ValueError, for other shapes.
        """
        channels, *size = self._shape(in_)[1:]
        if mean.ndim == 1:
            if len(mean) != channels:
                raise DeepLabError(f"set_mean: {channels} channels wanted for {in_}, {len(mean)} given")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise DeepLabError(f"set_mean: (C,) or (C, H, W) wanted for {in_}, {mean.shape} given")
        elif (mean.shape if mean.ndim == 3 else (1, *mean.shape)) != (channels, *size):
            mean = _resized_mean(mean if mean.ndim == 3 else mean[np.newaxis], size)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: Any) -> None:
        """A factor behind the mean."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise DeepLabError(f"{in_} is not one of the net's inputs: {', '.join(map(str, self.inputs))}")
        return tuple(self.inputs[in_])


def _resized_mean(mean: NDArray, size: Sequence[int]) -> NDArray:
    """(C, H', W') as (C, H, W), by way of [0, 1]."""
    low, high = mean.min(), mean.max()
    span = high - low if high > low else mean.dtype.type(1)
    image = ((mean - low) / span).transpose(1, 2, 0)
    resized: NDArray = resize_image(image, size).transpose(2, 0, 1) * span + low
    return resized


def _plain(scale: Any) -> Any:
    """A NumPy number as Python's, which does not widen float32."""
    return scale.item() if isinstance(scale, np.generic) else scale
