"""Image files and label maps in and out.

Images are RGB bytes (H, W, 3), read and written; labels grey bytes (H, W). Nothing rotates by EXIF: a net
sees the stored rows, as the original did."""

import os
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DeepLabError
from ..formats.files import replacing
from ..types import Bytes


def read_image(path: str | os.PathLike[str], color: bool = True) -> Bytes:
    """The image as RGB bytes (H, W, 3), or grey (H, W, 1) without `color`.

    Grey and palette images become colour, alpha is dropped, 16 bits keep their upper byte. DeepLabError if
    the file is missing, broken or no image, or holds more than Pillow's limit of 89 million pixels.

    Up to version 0.1 the order was B, G, R: who turned it round must do so no more.
    """
    return _pixels(decode_image(path), color)


def read_image_bytes(data: bytes, name: str, color: bool | None = None) -> Bytes:
    """The image in the bytes of a file, as read_image gives it; None: colour or grey as it is stored.

    A palette image is colour, alpha is dropped. name: stands for the path in errors.
    """
    image = _open(BytesIO(data), name)
    stored = image.mode not in ("1", "L", "LA", "I", "F") and not image.mode.startswith("I;16")
    return _pixels(image, stored if color is None else color)


def _pixels(image: Image.Image, color: bool) -> Bytes:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _upper_byte(np.asarray(image))
        return np.repeat(grey[:, :, None], 3 if color else 1, axis=2)
    if not color:
        return np.array(image.convert("L"))[:, :, None]
    return np.array(image.convert("RGB"))


def read_label(path: str | os.PathLike[str]) -> Bytes:
    """The label map as bytes (H, W); a palette image gives its indices. Colour holds no labels: an error."""
    image = decode_image(path)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    pixels = np.asarray(image)
    if image.mode == "RGB" and (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, 0])
    raise DeepLabError(f"{path}: a label map is a grey or palette image, this one is {image.mode}")


def decode_image(path: str | os.PathLike[str]) -> Image.Image:
    """The image as Pillow has it, in its own mode. Raises DeepLabError as read_image does."""
    if not os.path.exists(path):
        raise DeepLabError(f"{path}: no such image")
    if not os.path.isfile(path):
        raise DeepLabError(f"{path}: not a file")
    return _open(path, os.fspath(path))


def _open(source: str | os.PathLike[str] | BytesIO, path: str) -> Image.Image:
    """Decodes a file, or the bytes of one; `path` names it in errors."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as image:
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
