"""Image files and label maps in and out.

Images are RGB bytes (H, W, 3), read and written; labels grey bytes (H, W). Nothing rotates by EXIF: a net
sees the stored rows, as the original did."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DeepLabError, DeepLabWarning, missing_package
from ..formats.files import replacing
from ..types import Bytes
from .stored_image import StoredImage

if TYPE_CHECKING:  # nets that read no image files do without Pillow's memory
    from PIL import Image
if find_spec("PIL") is None:  # told at once, all the same
    raise ModuleNotFoundError("No module named 'PIL'", name="PIL")

MAX_PIXELS = 50_000_000  # phones take photos of 48 million; a small file may unpack to any number
# Those that Pillow decodes itself or with libraries for it; for others (EPS) it starts programs.
_FORMATS = (
    "PNG",
    "JPEG",
    "MPO",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
    "JPEG2000",
    "AVIF",
    "HEIF",
    "TGA",
    "ICO",
)
_HEIF = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")}
_16_BITS_AS_I = ("PNG", "PPM")  # older Pillows say "I" for their 16 bits
_ORIENTATION = 0x0112  # of EXIF; 1 is upright


def read_image(
    path: str | os.PathLike[str] | StoredImage, color: bool = True, max_pixels: int | None = None
) -> Bytes:
    """The image as RGB bytes (H, W, 3), or grey (H, W, 1) without `color`.

    Grey, palette and CMYK images become colour, alpha is dropped, 16 bits keep their upper byte, of several
    pictures (GIF, WebP) it is the first. A photo that its EXIF data say to turn gives a DeepLabWarning, once.

    max_pixels: default MAX_PIXELS. DeepLabError if the file is missing, broken or no image, or holds more
    pixels, or values that are neither bytes nor 16 bits; HEIC needs the package pillow-heif.

    Up to version 0.1 the order was B, G, R: who turned it round must do so no more.
    """
    if isinstance(path, StoredImage):
        image = _open(BytesIO(path.read()), str(path), max_pixels)
    else:
        image = decode_image(path, max_pixels)
    if image.getexif().get(_ORIENTATION, 1) != 1:
        # The same text for all of them, so that it is shown once.
        warnings.warn(
            DeepLabWarning(
                "photos whose EXIF data say to turn them are read as they are stored, as the original did; "
                "turn them before, or results lie on their side"
            ),
            stacklevel=2,
        )
    return _pixels(image, color, str(path))


def read_image_bytes(data: bytes, name: str, color: bool | None = None) -> Bytes:
    """The image in the bytes of a file, as read_image gives it; None: colour or grey as it is stored.

    A palette image is colour, alpha is dropped. name: stands for the path in errors.
    """
    image = _open(BytesIO(data), name)
    stored = image.mode not in ("1", "L", "LA", "I", "F") and not image.mode.startswith("I;16")
    return _pixels(image, stored if color is None else color, name)


def _pixels(image: "Image.Image", color: bool, path: str) -> Bytes:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _16_BITS_AS_I):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3 if color else 1, axis=2)
    if image.mode in ("I", "F"):
        # Nothing says which values are black and white.
        kind = "32-bit integers" if image.mode == "I" else "floating point"
        raise DeepLabError(f"{path}: an image of {kind}; one of 8 or 16 bits wanted")
    if not color:
        return np.array(image.convert("L"))[:, :, None]
    return np.array(image.convert("RGB"))


def read_label(path: str | os.PathLike[str], max_pixels: int | None = None) -> Bytes:
    """The label map as bytes (H, W); a palette image gives its indices. Colour holds no labels: an error.

    Raises DeepLabError as read_image does.
    """
    image = decode_image(path, max_pixels)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    pixels = np.asarray(image)
    if image.mode == "RGB" and (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, 0])
    raise DeepLabError(
        f"{path}: a label map is a grey or palette image, this one is {image.mode}; of a data set's colours "
        "`deeplab-caffe dataset` makes numbers"
    )


def decode_image(path: str | os.PathLike[str], max_pixels: int | None = None) -> "Image.Image":
    """The image as Pillow has it, in its own mode. Raises DeepLabError as read_image does."""
    _check_file(path)
    return _open(path, os.fspath(path), max_pixels)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width, from the beginning of the file; raises DeepLabError as read_image does."""
    _check_file(path)
    with _opened(path, os.fspath(path), None) as image:
        return image.height, image.width


def _check_file(path: str | os.PathLike[str]) -> None:
    if not os.path.exists(path):
        raise DeepLabError(f"{path}: no such image")
    if not os.path.isfile(path):
        raise DeepLabError(f"{path}: not a file")


def _open(
    source: str | os.PathLike[str] | BytesIO, path: str, max_pixels: int | None = None
) -> "Image.Image":
    """Decodes a file, or the bytes of one; `path` names it in errors."""
    with _opened(source, path, max_pixels) as image:
        image.load()
        return image


@contextmanager
def _opened(
    source: str | os.PathLike[str] | BytesIO, path: str, max_pixels: int | None
) -> "Iterator[Image.Image]":
    """The image, of which only the size and the mode are read yet."""
    from PIL import Image

    most = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        if _is_heif(source):
            _register_heif(path)
        with _without_warnings():
            with Image.open(source, formats=[name for name in _FORMATS if _known(name)]) as image:
                if image.width * image.height > most:
                    size = f"{image.width}x{image.height}"
                    raise DeepLabError(f"{path}: {size}, more than {most} pixels (max_pixels)")
                yield image
    except DeepLabError:
        raise
    except Image.DecompressionBombError:
        raise DeepLabError(f"{path}: far more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Image.UnidentifiedImageError:
        raise DeepLabError(f"{path}: not an image, or of a kind that is not read") from None
    except MemoryError:
        raise DeepLabError(f"{path}: not enough memory for this image") from None
    except Exception as error:  # Pillow's decoders raise whatever broken bytes lead them to
        raise DeepLabError(f"{path}: broken image: {' '.join(str(error).split())}") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Without those of Pillow: damage that it can live with, its own limit of pixels.

    Only in the main thread, since filters are the whole process's: two threads that change them and change
    them back would leave them wrong.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _known(format_name: str) -> bool:
    """Whether this Pillow reads it."""
    from PIL import Image

    if format_name not in Image.OPEN:
        Image.init()
    return format_name in Image.OPEN


def _is_heif(source: str | os.PathLike[str] | BytesIO) -> bool:
    if isinstance(source, BytesIO):
        return source.getbuffer()[4:12].tobytes() in _HEIF
    with open(source, "rb") as file:
        return file.read(12)[4:] in _HEIF


def _register_heif(path: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ModuleNotFoundError as error:
        raise DeepLabError(missing_package(error, f"{path}: HEIC")) from None
    register_heif_opener()


def write_image(path: str | os.PathLike[str], pixels: Bytes, palette: Bytes | None = None) -> None:
    """Writes (H, W, 3) RGB or (H, W) grey bytes, or (H, W) indices into `palette` (up to 256, 3).

    The format follows the file name's extension. The file appears whole or not at all.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image = image.convert("L")
        image.putpalette(np.ascontiguousarray(palette, np.uint8).tobytes())
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        image.save(file, format=Image.registered_extensions()[path.suffix.lower()])
