"""From an image to the blob a net reads: mean subtraction, padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Bytes, Floats

MEAN = (104.008, 116.669, 122.675)  # B, G, R: the mean the released models were trained with


def to_blob(
    image: Bytes,
    mean: Sequence[float] = MEAN,
    scale: float = 1.0,
    std: Sequence[float] = (),
    rgb: bool = False,
) -> Floats:
    """(float(byte) - mean) / std * scale, from RGB or grey (H, W, C) bytes to (C, H, W) float32.

    The blob's channels go B, G, R, as Caffe's nets have them; rgb: R, G, B. mean, std: one value or C, or
    none, in the order of the blob's channels.
    """
    image = image if rgb else image[:, :, ::-1]
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    if len(mean):
        planes -= np.asarray(mean, np.float32).reshape(-1, 1, 1)
    if len(std):
        planes /= np.asarray(std, np.float32).reshape(-1, 1, 1)
    if scale != 1.0:
        planes *= np.float32(scale)
    return planes


@dataclass(frozen=True)
class Preprocessing:
    """What a net's images go through before they are its input: the arguments of to_blob."""

    mean: Sequence[float] = MEAN
    scale: float = 1.0
    std: Sequence[float] = ()
    rgb: bool = False

    @classmethod
    def of(cls, transform: Any) -> "Preprocessing":
        """As a layer's transform_param says."""
        rgb = transform.channel_order == transform.RGB
        return cls(tuple(transform.mean_value), transform.scale, tuple(transform.std_value), rgb)

    def blob(self, image: Bytes) -> Floats:
        """(H, W, C) RGB or grey bytes as (C, H, W) float32, in the net's order of channels."""
        return to_blob(image, self.mean, self.scale, self.std, self.rgb)

    def problem(self, channels: int) -> str:
        """The field that does not fit images of so many channels, and why; "" if all do."""
        for field, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (0, 1, channels):
                return f"{field}: {len(values)} values given, the net's images have {channels} channels"
        return "" if all(value > 0 for value in self.std) else "std: numbers above 0 wanted"


def pad(planes: NDArray, height: int, width: int, value: float = 0.0) -> NDArray:
    """(..., h, w) with `value` added at the right and bottom up to (..., height, width); never shrinks.

    0 after mean subtraction is the mean itself, so that is what a padded image shows the net.
    """
    h, w = planes.shape[-2:]
    if h >= height and w >= width:
        return planes
    padded = np.full((*planes.shape[:-2], max(h, height), max(w, width)), value, planes.dtype)
    padded[..., :h, :w] = planes
    return padded
