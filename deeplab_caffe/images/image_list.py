"""Lists of images, as the data layers read them: `image_path [label]` a line."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DeepLabError


@dataclass(frozen=True)
class Entry:
    """One line: the image's path, the rest of the line ("" if there is none), and `list_file:line`."""

    image: str
    label: str
    where: str


def join(root: str, path: str) -> str:
    """`path` under `root`; both spellings of the lists in use ("/images/a.png", "images/a.png") work."""
    return f"{root.rstrip('/')}/{path.lstrip('/')}" if root else path


def read_lines(source: str) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers; DeepLabError if there is none."""
    try:
        with open(source, encoding="utf-8") as file:
            lines = [(number, line.strip()) for number, line in enumerate(file, 1) if line.strip()]
    except OSError as error:
        raise DeepLabError(f"{source}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DeepLabError(f"{source}: not a text file") from None
    if not lines:
        raise DeepLabError(f"{source}: the list is empty")
    return lines


def read_list(source: str, root: str = "") -> list[Entry]:
    """The entries of a list; `root` goes before the image paths."""
    entries = []
    for number, line in read_lines(source):
        image, _, label = line.partition(" ") if " " in line else line.partition("\t")
        entries.append(Entry(join(root, image), label.strip(), f"{source}:{number}"))
    return entries


def random_generator() -> np.random.Generator:
    """Random numbers for shuffling and augmentation; torch.manual_seed sets them too."""
    return np.random.default_rng(torch.initial_seed() % 2**63)


class Stream:
    """The entries of a list over and over, by number: in file order, or shuffled anew each time round.

    shuffle, skip (start after up to so many entries, at random): as image_data_param says. Entry number i
    depends on i and `seed` alone.
    """

    def __init__(self, entries: list[Entry], shuffle: bool, skip: int, seed: int) -> None:
        self.entries, self.shuffle, self.seed = entries, shuffle, seed
        self.start = int(generator(seed, 1).integers(skip)) if skip > 0 else 0
        self._order: tuple[int, np.ndarray] | None = None  # of the last time round that was asked for

    def __getitem__(self, number: int) -> Entry:
        around, index = divmod(self.start + number, len(self.entries))
        if not self.shuffle:
            return self.entries[index]
        order = self._order
        if order is None or order[0] != around:
            order = around, generator(self.seed, 2, around).permutation(len(self.entries))
            self._order = order
        return self.entries[int(order[1][index])]


def generator(*key: int) -> np.random.Generator:
    """Random numbers that depend on the key only."""
    return np.random.default_rng([number % 2**64 for number in key])
