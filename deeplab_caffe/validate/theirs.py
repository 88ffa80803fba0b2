"""The other side of a comparison: arrays by name, wherever they lie."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Shape

# "blob": as the net has it. "scores": a file of one image, (labels, H, W) or with a 1 before. "labels": whole
# numbers (H, W). "parameter": weights.
Kind = Literal["blob", "scores", "labels", "parameter"]


@dataclass(frozen=True, eq=False)
class Theirs:
    """One array of theirs. where: for people. read: None where only its hash is known.

    names: what it may be called: "LAYER__BLOB" or "BLOB", the name of an image, "LAYER/NUMBER" of a
    parameter; see `mangled`. folder: of which image or pass it is, "" where its name alone tells.
    """

    where: str
    names: tuple[str, ...]
    kind: Kind = "blob"
    folder: str = ""
    shape: Shape | None = None
    read: Callable[[], NDArray] | None = None
    sha256: str = ""


@dataclass
class Catalog:
    """All there is, found by folder and name. `take` is how a partner is found; `rest` is what found none.

    recorded: files of arrays that a record names already. of_every_pass: the items are there for each pass.
    """

    items: list[Theirs] = field(default_factory=list)
    by_name: dict[tuple[str, str], Theirs] = field(default_factory=dict)
    taken: set[Theirs] = field(default_factory=set)
    recorded: set[Path] = field(default_factory=set)
    of_every_pass: bool = False

    def add(self, item: Theirs) -> None:
        """Of several of the same name the first one counts."""
        self.items.append(item)
        for name in item.names:
            self.by_name.setdefault((item.folder, name), item)

    def take(
        self, folders: Iterable[str], names: Iterable[str], kinds: Iterable[Kind] = ("blob",)
    ) -> Theirs | None:
        """The first item of one of these names and kinds, in one of the folders; None if there is none."""
        kinds, names = tuple(kinds), tuple(names)
        for folder in folders:
            for name in names:
                item = self.by_name.get((folder, name))
                if item is not None and item.kind in kinds:
                    self.taken.add(item)
                    return item
        return None

    @cached_property
    def folders(self) -> list[str]:
        """The folders there are, sorted; without the outermost."""
        return sorted({item.folder for item in self.items} - {""})

    def rest(self) -> list[Theirs]:
        """What was not taken."""
        return [item for item in self.items if item not in self.taken]


def mangled(*parts: str) -> str:
    """Layer and blob, or a blob alone, as file names have them."""
    return "__".join(parts).replace("/", "_").replace("\0", "_")


def fitted(values: NDArray, shape: Shape) -> Floats:
    """The values as float32; in the wanted shape where only axes of size 1 are missing or too many."""
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(values, np.float32)
    if floats.shape != shape and _without_ones(floats.shape) == _without_ones(shape):
        floats = floats.reshape(shape)
    return floats


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)
