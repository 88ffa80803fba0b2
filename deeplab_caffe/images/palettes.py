"""Colours and names of the classes: those of the data sets by name, or a file's."""

import os
from dataclasses import dataclass

import numpy as np

from ..errors import DeepLabError
from ..formats.files import read_text
from ..types import Bytes
from .class_names import CAMVID, CITYSCAPES, CONTEXT_33, CONTEXT_59, PALETTES, VOC, Colour
from .voc_palette import voc_palette

_MAX_FILE = 1 << 20  # bytes
# Those whose colours are PASCAL VOC's, and those that have their own.
_NAMED = {"voc": VOC, "context": ("background", *CONTEXT_59), "context33": ("background", *CONTEXT_33)}
_COLOURED = {"camvid": CAMVID, "cityscapes": CITYSCAPES}


@dataclass(frozen=True)
class Palette:
    """`colours`: RGB bytes (256, 3) by label; `names`: of the first labels, maybe none."""

    colours: Bytes
    names: tuple[str, ...] = ()

    def name(self, label: int) -> str:
        """The class name, or the number itself."""
        return self.names[label] if label < len(self.names) else str(label)


def palette(name: str) -> Palette:
    """One of PALETTES, or a text file with `red green blue [name]` for label 0, 1, ... a line."""
    if name in _NAMED:
        return Palette(np.asarray(voc_palette(256), np.uint8), _NAMED[name])
    if name in _COLOURED:
        return Palette(_extend(list(_COLOURED[name].values())), tuple(_COLOURED[name]))
    if not os.path.exists(name):
        raise DeepLabError(f"palette {name}: {PALETTES} or a file wanted")
    return _read(name)


def _read(path: str) -> Palette:
    colours: list[Colour] = []
    names: list[str] = []
    lines = [line.split("#")[0].strip() for line in read_text(path, _MAX_FILE).splitlines()]
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        parts = line.split(maxsplit=3)
        try:
            red, green, blue = (int(value) for value in parts[:3])
        except ValueError:
            red = green = blue = -1
        if not all(0 <= value <= 255 for value in (red, green, blue)):
            raise DeepLabError(f"{path}:{number}: red green blue [name] wanted, each 0 to 255")
        colours.append((red, green, blue))
        names.append(parts[3] if len(parts) > 3 else str(len(names)))
    if not 0 < len(colours) <= 256:
        raise DeepLabError(f"{path}: {len(colours)} colours, 1 to 256 wanted")
    return Palette(_extend(colours), tuple(names))


def _extend(colours: list[Colour]) -> Bytes:
    """256 colours: those given, black after them, and 255 (void) the light grey of PASCAL VOC's own."""
    table = np.zeros((256, 3), np.uint8)
    table[255] = (224, 224, 192)
    table[: len(colours)] = colours
    return table
