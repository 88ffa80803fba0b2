"""The files that are made of a photo: labels, overlay, scores, thumbnail; and its record."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..crf.parameters import CRFParameters
from ..formats.scores import write_scores
from ..images import image_file
from ..images.palettes import Palette
from ..images.stored_image import ImageFile
from .crew import Crew
from .segmentation import segment
from .segmenter import overlay

if TYPE_CHECKING:  # pages take time to load, and may not be wanted
    from .contact_sheet import Cell, ContactSheet

KINDS = ("labels", "overlay", "scores", "mat")
ENDINGS = {"scores": ".npy", "mat": "_blob_0.mat"}  # of what is not a picture

# Of a photo: its record for predict.json, its cell on the sheet.
Written = tuple[dict[str, Any], "Cell | None"]


@dataclass(frozen=True)
class Results:
    """What is written of each image, and where."""

    folder: Path
    kinds: list[str]
    table: Palette
    sheet: "ContactSheet | None" = None

    def file(self, kind: str, name: str) -> Path:
        """The file of that kind of an image."""
        return self.folder / kind / f"{name}{ENDINGS.get(kind, '.png')}"

    def files(self, name: str) -> list[Path]:
        """All files of an image."""
        thumbnail = [self.sheet.thumbnail(name)] if self.sheet else []
        return [self.file(kind, name) for kind in self.kinds] + thumbnail


def segment_file(
    crew: Crew,
    name: str,
    path: ImageFile,
    results: Results,
    crf: CRFParameters | None = None,
    max_pixels: int | None = None,
) -> Written:
    """Segments an image, writes what is wanted of it; its record for predict.json, its cell on the sheet."""
    start = time.perf_counter()
    image = image_file.read_image(path, crew.segmenter.color, max_pixels)
    with crew.one(image.shape[:2]) as segmenter:
        scores, labels = segment(segmenter, image, crf)
    files = {}
    for kind in results.kinds:
        file = results.file(kind, name)
        files[kind] = str(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "labels":
            image_file.write_image(file, labels, results.table.colours)
        elif kind == "overlay":
            image_file.write_image(file, overlay(image, labels, results.table.colours))
        else:
            write_scores(file, scores.cpu().numpy())
    sheet = results.sheet
    cell = sheet.cell(name, path, crew.segmenter.rgb(image), labels, files) if sheet else None
    counts = np.bincount(labels.ravel())  # a tenth of the time of unique, which sorts
    record = {
        "image": str(path),
        "height": image.shape[0],
        "width": image.shape[1],
        "seconds": round(time.perf_counter() - start, 4),
        "classes": {results.table.name(int(v)): int(c) for v, c in enumerate(counts) if c},
        "files": files,
    }
    return record, cell
