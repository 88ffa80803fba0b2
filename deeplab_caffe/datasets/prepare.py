"""Makes the folder that training and evaluation want: links to the images, label maps, lists."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import DeepLabError
from ..formats.files import newer, replacing
from ..images.image_file import image_size, write_image
from ..threads import thread_count
from ..threads.side_by_side import side_by_side
from .plan import Item, Plan

Step = Callable[[int], None]  # so many images more are done


@dataclass(frozen=True)
class Prepared:
    """What was done: label maps written and found done, the largest height and width of the images."""

    written: int
    kept: int
    height: int
    width: int


def prepare(
    plan: Plan, output: Path, threads: int | None = None, step: Step = lambda count: None
) -> Prepared:
    """Links the images, converts label maps that are missing or older than their source, writes the lists.

    Each file appears whole or not at all, the lists after all label maps; who runs it again goes on where it
    stopped. threads: None: the default. step: called as images are done. Raises DeepLabError for the first
    image or label map that is broken, or where a label map has another size than its image.
    """
    output.mkdir(parents=True, exist_ok=True)
    for name, target in plan.links.items():
        _link(output / name, target)
    items = {item.image: item for entries in plan.lists.values() for item in entries}
    for folder in {Path(item.label).parent for item in items.values() if item.label}:
        (output / folder).mkdir(parents=True, exist_ok=True)
    written, height, width = 0, 0, 0
    made = side_by_side(partial(_convert, output), items.values(), threads, thread_count(threads), False)
    with closing(made):
        for done, (rows, columns) in made:
            written += done
            height, width = max(height, rows), max(width, columns)
            step(1)
    (output / "list").mkdir(exist_ok=True)
    for name, entries in plan.lists.items():
        if entries:
            _write_lines(output / f"list/{name}.txt", [_line(item) for item in entries])
            _write_lines(output / f"list/{name}_id.txt", [item.stem for item in entries])
    labels = sum(item.source is not None for item in items.values())
    return Prepared(written, labels - written, height, width)


def _line(item: Item) -> str:
    """`/image /label`, as the authors' lists have it; without labels the image alone."""
    return f"/{item.image} /{item.label}" if item.label else f"/{item.image}"


def _write_lines(path: Path, lines: list[str]) -> None:
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def _convert(output: Path, item: Item) -> tuple[bool, tuple[int, int]]:
    """Whether a label map was written, and the image's size."""
    image = output / item.image
    size = image_size(image)
    if item.source is None or item.label is None:
        return False, size
    made = output / item.label
    if newer([made], [item.source.path]):
        return False, size
    labels = item.source.read(item.source.path)
    if labels.shape != size:
        shape = f"{labels.shape[0]}x{labels.shape[1]}"
        raise DeepLabError(f"{item.source.path}: {shape} labels for an image of {size[0]}x{size[1]}, {image}")
    write_image(made, labels)
    return True, size


def _link(link: Path, target: Path) -> None:
    """A symbolic link to a folder of images; nothing where the folder is there itself."""
    target = target.resolve()
    if link.is_symlink():
        if link.resolve() == target:
            return
        link.unlink()
    elif link.exists():
        if link.samefile(target):
            return
        raise DeepLabError(f"{link}: there already, and another folder than {target}")
    try:
        os.symlink(target, link, target_is_directory=True)
    except OSError as error:
        reason = error.strerror or error
        raise DeepLabError(
            f"{link}: cannot link to {target}: {reason}; the data set's own folder can be --output, too"
        ) from None
