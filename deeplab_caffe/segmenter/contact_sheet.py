"""A page to look through what was predicted: each photo with its labels, both mixed, and the classes in it.

Of every image one small JPEG is kept and no pixels in memory, so thousands of images make as many cells, on
pages of `PER_PAGE`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..formats.files import replacing
from ..images.image_file import write_image
from ..images.palettes import Palette
from ..images.stored_image import ImageFile, StoredImage
from ..netgraph.page import environment
from ..types import Bytes
from .segmenter import overlay

SIDE = 220  # pixels; the longest side of a panel
PER_PAGE = 200
MOST_SHARES = 4
TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


class Entry(NamedTuple):
    """A class: its name, its colour as CSS, and its percentage of an image."""

    name: str
    colour: str
    percent: str = ""


@dataclass
class Cell:
    """An image on the page, or why there is none. size: of the thumbnail; links: (word, address).

    shares: its largest classes; classes: all of them. `vars` of it fit JSON.
    """

    name: str
    error: str = ""
    thumbnail: str = ""
    size: tuple[int, int] = (0, 0)
    links: list[tuple[str, str]] = field(default_factory=list)
    shares: list[Entry] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Cell":
        """The cell whose `vars` went through JSON."""
        return cls(**{**stored, "shares": [Entry(*share) for share in stored["shares"]]})


class ContactSheet:
    """Collects images, then writes the pages into `folder`."""

    def __init__(self, folder: Path, palette: Palette) -> None:
        self.folder = folder
        self.palette = palette
        self.cells: list[Cell] = []
        self.seen: set[int] = set()

    def add(self, name: str, photo: Path, image: Bytes, labels: Bytes, files: Mapping[str, str]) -> None:
        """Adds what `cell` makes of an image."""
        self.add_cell(self.cell(name, photo, image, labels, files))

    def add_cell(self, cell: Cell) -> None:
        """The next image on the page."""
        self.cells.append(cell)
        self.seen.update(cell.classes)

    def thumbnail(self, name: str) -> Path:
        """The file of an image's small picture."""
        return self.folder / "thumbnails" / f"{name}.jpg"

    def cell(
        self, name: str, photo: ImageFile, image: Bytes, labels: Bytes, files: Mapping[str, str]
    ) -> Cell:
        """An image: RGB or grey bytes (H, W, 3 or 1), its labels (H, W), the files written of it by kind.

        Writes thumbnails/NAME.jpg: photo, labels and both, side by side. The page stays as it is, so that
        several threads may make cells.
        """
        strip = panels(image, labels, self.palette.colours)
        thumbnail = self.thumbnail(name)
        write_image(thumbnail, strip)
        values, counts = np.unique(labels, return_counts=True)
        largest = sorted(zip(counts.tolist(), values.tolist(), strict=True), reverse=True)[:MOST_SHARES]
        cell = Cell(name, thumbnail=self._link(thumbnail), size=(strip.shape[1], strip.shape[0]))
        cell.classes = values.tolist()
        cell.links = [(kind, self._link(file)) for kind, file in files.items()]
        if not isinstance(photo, StoredImage):
            cell.links.insert(0, ("photo", self._link(photo)))
        cell.shares = [
            self._entry(label, f"{100 * count / labels.size:.3g}") for count, label in largest if count
        ]
        return cell

    def add_error(self, name: str, error: str) -> None:
        """An image that was not segmented, and why."""
        self.cells.append(Cell(name, error=error))

    def write(self, title: str) -> Path:
        """Writes index.html, index_2.html ..., each whole or not at all; the first page's path."""
        template = environment(TEMPLATES).get_template("sheet.html.j2")
        pages = max(1, -(-len(self.cells) // PER_PAGE))
        common: dict[str, Any] = {
            "title": title,
            "done": sum(not cell.error for cell in self.cells),
            "total": len(self.cells),
            "pages": pages,
            "name_of": page_name,
            "legend": [self._entry(label) for label in sorted(self.seen)],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, pages + 1):
            cells = self.cells[(number - 1) * PER_PAGE : number * PER_PAGE]
            html = template.render(**common, number=number, cells=cells)
            with replacing(self.folder / page_name(number)) as file:
                file.write(html.encode())
        while (old := self.folder / page_name(number := number + 1)).exists():  # of an earlier, longer sheet
            old.unlink()
        return self.folder / page_name(1)

    def _entry(self, label: int, percent: str = "") -> Entry:
        red, green, blue = (int(value) for value in self.palette.colours[label])
        return Entry(self.palette.name(label), f"#{red:02x}{green:02x}{blue:02x}", percent)

    def _link(self, path: str | Path) -> str:
        return quote(os.path.relpath(Path(path).absolute(), self.folder.absolute()))


def page_name(number: int) -> str:
    """The file of a page, counted from 1."""
    return "index.html" if number == 1 else f"index_{number}.html"


def panels(image: Bytes, labels: Bytes, colours: Bytes) -> Bytes:
    """Photo, labels and both, small and side by side: RGB bytes."""
    height, width = labels.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    photo = Image.fromarray(np.ascontiguousarray(np.broadcast_to(image, (height, width, 3)))).resize(size)
    # Labels are not mixed: the nearest one counts.
    small = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    rgb = np.asarray(photo)
    gap = np.full((size[1], 2, 3), 255, np.uint8)
    return np.concatenate([rgb, gap, colours[small], gap, overlay(rgb, small, colours)], axis=1)
