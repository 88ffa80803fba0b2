"""Image file -> blob and back: decoding, mean subtraction, padding, cropping.

Images are BGR bytes (H, W, 3), labels grey bytes (H, W), blobs float32 (channels, H, W). Nothing rotates
by EXIF: a net sees the stored rows, as the original did.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import DeepLabError
from .formats.files import replacing

MEAN = (104.008, 116.669, 122.675)  # B, G, R: the mean the released models were trained with
IGNORE_LABEL = 255

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def read_image(path: str | os.PathLike[str], color: bool = True) -> Bytes:
    """The image as BGR bytes (H, W, 3), or grey (H, W, 1) without `color`.

    Grey and palette images become colour, alpha is dropped, 16 bits keep their upper byte. DeepLabError if
    the file is missing, broken or no image, or holds more than Pillow's limit of 89 million pixels.
    """
    image = _decode(path)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _upper_byte(np.asarray(image))
        return np.repeat(grey[:, :, None], 3 if color else 1, axis=2)
    if not color:
        return np.array(image.convert("L"))[:, :, None]
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def read_label(path: str | os.PathLike[str]) -> Bytes:
    """The label map as bytes (H, W); a palette image gives its indices. Colour holds no labels: an error."""
    image = _decode(path)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    pixels = np.asarray(image)
    if image.mode == "RGB" and (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, 0])
    raise DeepLabError(f"{path}: a label map is a grey or palette image, this one is {image.mode}")


def _decode(path: str | os.PathLike[str]) -> Image.Image:
    if not os.path.exists(path):
        raise DeepLabError(f"{path}: no such image")
    if not os.path.isfile(path):
        raise DeepLabError(f"{path}: not a file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DeepLabError(f"{path}: more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Image.UnidentifiedImageError:
        raise DeepLabError(f"{path}: not an image") from None
    except MemoryError:
        raise DeepLabError(f"{path}: not enough memory for this image") from None
    except Exception as error:  # Pillow's decoders raise whatever broken bytes lead them to
        raise DeepLabError(f"{path}: broken image: {' '.join(str(error).split())}") from None


def _upper_byte(pixels: NDArray) -> Bytes:
    return (pixels.astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)


def to_blob(
    image: Bytes,
    mean: Sequence[float] = MEAN,
    scale: float = 1.0,
    std: Sequence[float] = (),
    rgb: bool = False,
) -> Floats:
    """(float(byte) - mean) / std * scale, from BGR (H, W, C) bytes to (C, H, W) float32.

    mean, std: one value or C, or none; rgb: the blob's channels (and those values) go R, G, B.
    """
    image = image[:, :, ::-1] if rgb else image
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
        """(H, W, C) BGR bytes as (C, H, W) float32."""
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


def aligned_size(size: int, score_size: Callable[[int], int | None], limit: int = 128) -> int:
    """The smallest input size >= `size` (height or width, pixels) whose scores lie on the image's grid.

    score_size(n) is the size of the net's scores for input size n, or None where the net does not fit. With
    stride s of the scores (1 for nets that upsample), first and last scores must lie on first and last pixel:
    (scores - 1) * s == n - 1, which is 8k+1 for LargeFOV. If no size up to `limit` more does so, the first
    that fits the net at all is taken, or else `size`.
    """
    span = 512  # a multiple of any net's stride, so that the difference of two sizes gives it
    fitting = None
    for n in range(size, size + limit):
        scores = score_size(n)
        if not scores:
            continue
        fitting = fitting or n
        more = (score_size(n + span) or 0) - scores
        if more > 0 and (scores - 1) * max(1, round(span / more)) == n - 1:
            return n
    return fitting or size


def write_image(path: str | os.PathLike[str], pixels: Bytes, palette: Bytes | None = None) -> None:
    """Writes (H, W, 3) RGB or (H, W) grey bytes, or (H, W) indices into `palette` (up to 256, 3).

    The format follows the file name's extension. The file appears whole or not at all.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image = image.convert("L")
        image.putpalette(np.ascontiguousarray(palette, np.uint8).tobytes())
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        image.save(file, format=Image.registered_extensions()[path.suffix.lower()])
