"""Lists of images, as the data layers read them: `image_path [label]` a line."""

import io
from typing import NamedTuple

import numpy as np

from ..errors import DeepLabError
from ..formats.files import check_memory, read_bytes

# A list has a line for each image of a data set, two paths at most in each.
_MAX_BYTES, _MAX_LINE = 1 << 30, 16384
_LINE_BYTES = 240  # of memory that an entry takes beside its text


class Entry(NamedTuple):
    """One line: the image's path, the rest of the line ("" if none), the list, the line's number."""

    image: str
    label: str
    source: str = ""
    number: int = 0

    @property
    def where(self) -> str:
        """`list_file:line`."""
        return f"{self.source}:{self.number}"


def join(root: str, path: str) -> str:
    """`path` under `root`; both spellings of the lists in use ("/images/a.png", "images/a.png") work."""
    return f"{root.rstrip('/')}/{path.lstrip('/')}" if root else path


def read_lines(source: str) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers; DeepLabError if there is none."""
    data = read_bytes(source, _MAX_BYTES)
    count = max(data.count(b"\n"), data.count(b"\r")) + 1
    check_memory(source, len(data), 2 * len(data) + count * _LINE_BYTES, f"{count} lines")
    lines = []
    try:
        for number, raw in enumerate(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig"), 1):
            if len(raw) > _MAX_LINE:
                raise DeepLabError(f"{source}:{number}: a line of {len(raw)} characters: this is no list")
            if line := raw.strip():
                lines.append((number, line))
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
        entries.append(Entry(join(root, image), label.strip(), source, number))
    return entries


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


def generator(*key: int) -> "np.random.Generator":
    """Random numbers that depend on the key only."""
    return np.random.default_rng([number % 2**64 for number in key])
