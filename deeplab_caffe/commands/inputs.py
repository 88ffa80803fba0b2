"""The images that a command line names: photos, folders, lists and tar shards of them, here or in stores."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DeepLabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..images.stored_image import ImageFile

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
SUFFIXES |= {".avif", ".heic", ".heif", ".jp2"}
LISTS = {".txt", ".lst", ".list"}


def collect(inputs: list[str], root: str = "") -> dict[str, "ImageFile"]:
    """All images of the command line by the name their results get; DeepLabError if there is none."""
    from ..images import stored_image
    from ..images.image_list import read_list

    jobs: dict[str, ImageFile] = {}

    def add(name: str, path: "ImageFile") -> None:
        if jobs.setdefault(name, path) != path:
            raise DeepLabError(f"{jobs[name]} and {path} would write the same results '{name}'")

    def add_all(source: str, found: "Sequence[ImageFile]") -> None:
        if not found:
            raise DeepLabError(f"{source}: no images in it")
        for one in found:
            add(Path(str(one)).stem, one)

    for text in inputs:
        path = Path(text)
        if stored_image.is_shard(text):
            add_all(text, stored_image.in_shard(text, SUFFIXES))
        elif stored_image.is_address(text):
            one = stored_image.image_at(text)
            is_image = path.suffix.lower() in SUFFIXES
            add_all(text, [one] if is_image else stored_image.in_folder(text, SUFFIXES))
        elif path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise DeepLabError(f"{path}: no images in this folder")
            for file in found:
                add(file.stem, file)
        elif not path.exists():
            raise DeepLabError(f"{path}: no such image, folder or list")
        elif path.suffix.lower() in LISTS:
            for entry in read_list(text, root):
                add(Path(entry.image).stem, stored_image.image_at(entry.image))
        else:
            add(path.stem, path)
    return jobs
