"""Folders as archives leave them: found wherever somebody unpacked them, names in any case."""

from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import DeepLabError, one_line
from ..images.image_list import read_lines
from .plan import Item


def find_root(root: Path, places: tuple[str, ...], needed: tuple[str, ...], what: str) -> Path:
    """The first of root/place that has all of `needed`; DeepLabError tells what was looked for."""
    if not root.is_dir():
        raise DeepLabError(f"{root}: no such folder")
    for place in places:
        if all((root / place / name).is_dir() for name in needed):
            return root / place
    raise DeepLabError(f"{root}: not {what}: no folder with {' and '.join(needed)} in it")


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """The files of a folder with one of these suffixes, in any case: name without suffix -> name.

    Hidden files (macOS leaves `._x.png`) are left out. The earlier suffix wins where there are two.
    """
    if not folder.is_dir():
        raise DeepLabError(f"{folder}: no such folder")
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if suffix not in suffixes or path.name.startswith("."):
            continue
        other = found.get(path.stem)
        if other is None or suffixes.index(suffix) < suffixes.index(Path(other).suffix.lower()):
            found[path.stem] = path.name
    return found


def read_ids(path: Path) -> list[tuple[str, str]]:
    """The first word of each line of a list, and where it stands; DeepLabError for a name given twice."""
    ids = [(line.split()[0], f"{path}:{number}") for number, line in read_lines(str(path))]
    seen: dict[str, str] = {}
    for name, where in ids:
        if name in seen:
            raise DeepLabError(f"{where}: {one_line(name)} is in the list twice (line {seen[name]})")
        seen[name] = where.rpartition(":")[2]
    return ids


def place(name: str, where: str) -> str:
    """A path for a list; DeepLabError where it has white space, at which the list's lines are split."""
    if name.split() != [name]:
        raise DeepLabError(f"{where}: {one_line(name)}: white space in a name, which a list cannot hold")
    return name


class Collector:
    """Makes lists of items; what is missing is an error, or left out and remembered where that is allowed."""

    def __init__(self, incomplete: bool) -> None:
        self._incomplete = incomplete
        self.left_out: dict[str, list[str]] = {}

    def collect(
        self, list_name: str, ids: Iterable[tuple[str, str]], find: Callable[[str, str], Item | str]
    ) -> list[Item]:
        """find(name, where) for each: an item, or the file that is missing."""
        items = []
        for name, where in ids:
            item = find(name, where)
            if isinstance(item, Item):
                items.append(item)
            elif self._incomplete:
                self.left_out.setdefault(list_name, []).append(item)
            else:
                raise DeepLabError(f"{where}: no {item} (--partial leaves such images out)")
        return items
