"""Images as pycaffe has them: float32 (H, W, K), R, G, B, from 0 to 1.

pycaffe took scikit-image for this, in the versions of its time (0.9 to 0.14). What those computed stands
here, so no library is needed: later ones blur images before they shrink them, which gives other values.
"""

import os
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..images.image_file import decode_image
from ..types import Floats

# Of R, G and B in grey, as scikit-image's rgb2gray.
LUMINANCE = (0.2125, 0.7154, 0.0721)


def load_image(filename: str | os.PathLike[str], color: bool = True) -> Floats:
    """An image file as float32 in [0, 1]: (H, W, 3), R, G, B; without `color` grey, (H, W, 1).

    Grey and palette images become colour, alpha is dropped, 16 bits keep all of them. Raises DeepLabError for
    what is missing or no image.
    """
    image = decode_image(filename)
    sixteen = image.mode == "I" or image.mode.startswith("I;16")
    if not (sixteen or image.mode in ("L", "F")):
        image = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.asarray(image, np.float64)
    if image.mode != "F":
        pixels = pixels / (65535 if sixteen else 255)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, np.newaxis], 3 if color else 1, axis=2)
    elif not color:
        red, green, blue = (pixels[:, :, [band]] * weight for band, weight in enumerate(LUMINANCE))
        pixels = red + green + blue
    return pixels.astype(np.float32)


def resize_image(im: NDArray, new_dims: Sequence[int], interp_order: int = 1) -> Floats:
    """An (H, W, K) image resized to new_dims, (height, width), as float32.

    With 1 or 3 channels pixel centres keep their places and what lies outside counts as the image's minimum;
    with any other number the corner pixels keep theirs. Nothing is smoothed where it shrinks. interp_order:
    that of the spline, 1 is bilinear; others need scipy.
    """
    height, width = (int(size) for size in new_dims)
    if im.ndim != 3 or 0 in im.shape or height < 1 or width < 1:
        raise DeepLabError(f"resize_image: cannot resize an image of shape {im.shape} to {(height, width)}")
    if im.shape[-1] not in (1, 3):
        return _resized(im, (height, width), interp_order, by_centres=False).astype(np.float32)
    low, high = im.min(), im.max()
    if not high > low:
        return np.full((height, width, im.shape[-1]), low, np.float32)
    # Scaled to [0, 1] and back: what is outside is 0 meanwhile.
    resized = _resized((im - low) / (high - low), (height, width), interp_order, by_centres=True)
    return (resized * (high - low) + low).astype(np.float32)


def _resized(image: NDArray, size: tuple[int, int], order: int, by_centres: bool) -> NDArray:
    if order == 1:
        rows, columns = (
            _positions(old, new, by_centres) for old, new in zip(image.shape[:2], size, strict=True)
        )
        return _bilinear(image, rows, columns)
    try:
        from scipy import ndimage
    except ImportError:
        raise DeepLabError(
            f"interp_order={order}: this needs scipy: pip install 'deeplab_caffe[pycaffe]'"
        ) from None
    factors = (*(new / old for old, new in zip(image.shape[:2], size, strict=True)), 1)
    mode = "grid-constant" if by_centres else "constant"
    resized = ndimage.zoom(image.astype(np.float64), factors, order=order, mode=mode, grid_mode=by_centres)
    return np.clip(resized, 0, 1) if by_centres else resized


def _positions(old: int, new: int, by_centres: bool) -> NDArray:
    """Where the pixels of a resized axis lie in the old one."""
    if by_centres:
        return (np.arange(new) + 0.5) * (old / new) - 0.5
    return np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 1.0)


def _bilinear(image: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    """(H, W, K) at rows x columns, which lie at most one pixel outside, where it is 0; in float64."""
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    y, x = (rows - top)[:, np.newaxis, np.newaxis], (columns - left)[:, np.newaxis]

    def across(lines: NDArray) -> NDArray:
        return cast(NDArray, (1 - x) * lines[:, left + 1] + x * lines[:, left + 2])

    return cast(NDArray, (1 - y) * across(padded[top + 1]) + y * across(padded[top + 2]))


def oversample(images: Sequence[NDArray], crop_dims: Sequence[int]) -> Floats:
    """Of each (H, W, K) image ten crops of crop_dims, (height, width): (10 N, height, width, K) float32.

    First the corners (top left, top right, bottom left, bottom right) and the centre, then the same mirrored.
    The images have one size.
    """
    height, width = (int(size) for size in crop_dims)
    rows, columns = images[0].shape[:2]
    if height > rows or width > columns:
        raise DeepLabError(f"oversample: crops of {(height, width)} of an image of {(rows, columns)}")
    corners = [(top, left) for top in (0, rows - height) for left in (0, columns - width)]
    corners.append((int(rows / 2 - height / 2), int(columns / 2 - width / 2)))
    crops = [
        np.stack([image[top : top + height, left : left + width] for top, left in corners])
        for image in images
    ]
    return np.concatenate([np.concatenate([five, five[:, :, ::-1]]) for five in crops]).astype(np.float32)
