"""What is to be made of a data set: the images of each list, where their labels are, how those are read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DeepLabError
from ..types import Bytes

VOID = 255


@dataclass(frozen=True)
class Source:
    """A label map as the data set has it, and how it is read: to bytes (H, W), classes and VOID."""

    path: Path
    read: Callable[[Path], Bytes]


@dataclass(frozen=True)
class Item:
    """An image. image, label: their places in the prepared folder; label is None where there are no labels.

    source: None for a label map that is used as it is. where: list and line, or folder, that names the image.
    """

    image: str
    label: str | None = None
    source: Source | None = None
    where: str = ""

    @property
    def stem(self) -> str:
        """The image's name, as results are called."""
        return Path(self.image).stem


@dataclass(frozen=True)
class Net:
    """What the nets of a data set are called and trained with.

    name: of the score layers' names (`fc8_voc12`), by which released weights fit. crop: of images in
    training. iterations: of training.
    """

    name: str
    crop: int
    iterations: int = 20_000


@dataclass(frozen=True)
class Plan:
    """A data set, found on disk and not touched yet.

    lists: by name, in the order they are written. expected: how many images each has officially. links: names
    in the prepared folder and the folders they stand for. train, test: the lists that a run trains and tests
    on. palette: of images.palettes; without_background: its first class is left out. left_out: what is
    missing, if that is allowed, by the lists' names.
    """

    name: str
    title: str
    root: Path
    lists: dict[str, list[Item]]
    expected: dict[str, int]
    links: dict[str, Path]
    palette: str
    net: Net
    train: str = "train"
    test: str = "val"
    optional: tuple[str, ...] = ("test",)
    without_background: bool = False
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def check_counts(self, incomplete: bool) -> list[str]:
        """What is not as many as it officially is, a line each. Optional lists may be missing whole.

        Raises DeepLabError for the first, unless `incomplete`.
        """
        found = []
        for name, expected in self.expected.items():
            count = len(self.lists.get(name, ()))
            if count == expected or (count == 0 and name in self.optional and not self.left_out.get(name)):
                continue
            line = f"{self.root}: {name}: {expected:,} images expected, {count:,} found"
            if missing := self.left_out.get(name):
                line += f"; missing: {missing[0]}" + (
                    f" and {len(missing) - 1:,} more" if missing[1:] else ""
                )
            found.append(line)
        if found and not incomplete:
            raise DeepLabError(f"{found[0]} (--partial takes what is there)")
        return found
