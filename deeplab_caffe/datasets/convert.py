"""Label maps as data sets have them (colours, their own numbers) to labels 0, 1, ... and 255 for void."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DeepLabError
from ..images.class_names import Colour
from ..images.image_file import decode_image
from ..types import Bytes
from .plan import VOID

_NO_LABEL = -1


class Table:
    """Labels by the numbers that a data set has: of 0 to len - 1, -1 for numbers that mean nothing."""

    def __init__(self, size: int, labels: Mapping[int, int], names: str) -> None:
        """labels: number -> label. names: what a number should have been, for errors."""
        self._table = np.full(size, _NO_LABEL, np.int16)
        for number, label in labels.items():
            self._table[number] = label
        self._names = names

    def convert(self, values: NDArray[np.integer], path: Path) -> Bytes:
        """The labels (H, W); DeepLabError names file, pixel and value of the first that means nothing."""
        inside = (values >= 0) & (values < self._table.size)
        labels = self._table[np.where(inside, values, 0)]
        wrong = (labels == _NO_LABEL) | ~inside
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DeepLabError(
                f"{path}: row {row}, column {column}: label {values[row, column]}; {self._names} wanted"
            )
        return labels.astype(np.uint8)


class Colours:
    """Labels by colour."""

    def __init__(self, labels: Mapping[Colour, int], names: str) -> None:
        """labels: (red, green, blue) -> label. names: what a colour should have been, for errors."""
        codes = np.array([_code(np.array(colour)) for colour in labels])
        order = codes.argsort()
        self._codes, self._labels = codes[order], np.array(list(labels.values()), np.uint8)[order]
        self._names = names

    def convert(self, pixels: Bytes, path: Path) -> Bytes:
        """Labels (H, W) of (H, W, 3) RGB; DeepLabError names file, pixel and colour of the first unknown."""
        codes = _code(pixels)
        places = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        wrong = self._codes[places] != codes
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            red, green, blue = (int(value) for value in pixels[row, column])
            raise DeepLabError(
                f"{path}: row {row}, column {column}: colour {red} {green} {blue}; {self._names} wanted"
            )
        return self._labels[places]


def _code(pixels: NDArray) -> NDArray[np.int64]:
    return pixels.astype(np.int64) @ np.array([65536, 256, 1])


def read_colours_or_numbers(path: Path, colours: Colours, numbers: Table, palette: Sequence[Colour]) -> Bytes:
    """A label image of either kind: colours, or bytes that are numbers.

    A palette image is numbers where the colours that it shows are those of `palette`, or shades of grey equal
    to the number; some programs sort the palette anew, and then only its colours tell.
    """
    image = decode_image(path)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "L" or (image.mode == "P" and _in_order(image, palette)):
        return numbers.convert(np.asarray(image), path)
    if image.mode == "RGBA" and (np.asarray(image)[:, :, 3] != 255).any():
        raise DeepLabError(f"{path}: a label map with transparent pixels")
    if image.mode not in ("P", "RGB", "RGBA"):
        raise DeepLabError(
            f"{path}: a label map is a grey, palette or colour image, this one is {image.mode}"
        )
    return colours.convert(np.asarray(image.convert("RGB")), path)


def _in_order(image: Image.Image, palette: Sequence[Colour]) -> bool:
    own = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image))
    used = used[used < len(own)]
    wanted = np.asarray(palette, np.uint8)[used]
    return bool((own[used] == wanted).all() or (own[used] == used[:, None]).all())


def read_numbers(path: Path, numbers: Table) -> Bytes:
    """A label image of bytes or 16 bits, which are numbers."""
    image = decode_image(path)
    if image.mode not in ("L", "P", "I", "I;16"):
        raise DeepLabError(f"{path}: a label map of numbers is a grey image, this one is {image.mode}")
    return numbers.convert(np.asarray(image), path)


def voids(labels: int) -> dict[int, int]:
    """Labels that mean themselves, and void."""
    return {label: label for label in range(labels)} | {VOID: VOID}
