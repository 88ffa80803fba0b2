"""Resizing and cropping of images and label maps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Bytes, Floats


def crop(planes: NDArray, top: int, left: int, height: int, width: int) -> NDArray:
    """The (height, width) window at (top, left) of (..., h, w)."""
    return planes[..., top : top + height, left : left + width]


@dataclass(frozen=True)
class Window:
    """Rows top..top+height, columns left..left+width of an image."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Bytes) -> Bytes:
        """That part of (H, W, ...)."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def resize_image(image: Bytes, height: int, width: int, window: Window | None = None) -> Bytes:
    """Bilinear resize of (H, W, C) bytes, pixel centres aligned, rounded to nearest.

    With `window` only that part of the result is computed and returned.
    """
    window = window or Window(0, 0, height, width)
    if image.shape[:2] == (height, width):
        return window.of(image)
    above, below, y = _neighbours(image.shape[0], height, window.top, window.height)
    left, right, x = _neighbours(image.shape[1], width, window.left, window.width)
    x, y = x[:, None], y[:, None, None]
    first = above[0]
    rows = image[first : below[-1] + 1]
    across = rows[:, left] * (1 - x) + rows[:, right] * x
    return np.rint(across[above - first] * (1 - y) + across[below - first] * y).astype(np.uint8)


def smooth_resize(image: Bytes, height: int, width: int) -> Bytes:
    """Pillow's bilinear resize of (H, W, 3) or (H, W, 1) bytes: where it shrinks, every pixel counts."""
    from PIL import Image  # here, for few nets resize images, and it takes 2 MB

    pixels = image[:, :, 0] if image.shape[2] == 1 else image
    resized = Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(resized).reshape(height, width, image.shape[2])


def _neighbours(size: int, resized: int, start: int, count: int) -> tuple[NDArray, NDArray, Floats]:
    """For pixels start..start+count of a resized axis: both neighbours, the weight of the second."""
    position = (np.arange(start, start + count) + 0.5) * (size / resized) - 0.5
    position = position.clip(0, size - 1)
    low = position.astype(np.int64)
    return low, np.minimum(low + 1, size - 1), (position - low).astype(np.float32)


def resize_label(label: Bytes, height: int, width: int, window: Window | None = None) -> Bytes:
    """Nearest-neighbour resize of (H, W) labels, or `window` of the result."""
    window = window or Window(0, 0, height, width)
    if label.shape == (height, width):
        return window.of(label)
    rows = np.arange(window.top, window.top + window.height) * (label.shape[0] / height)
    columns = np.arange(window.left, window.left + window.width) * (label.shape[1] / width)
    return label[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
