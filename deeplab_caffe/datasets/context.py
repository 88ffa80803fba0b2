"""PASCAL-Context (Mottaghi et al., CVPR 2014): VOC 2010's images with 459 labels; 59 or 33 of them are used.

Classes are found by the labels' names, in the order of the authors' lists of 59 and 33. The DeepLab papers
use the 59 and everything else as background, 60 in all.
"""

import re
from pathlib import Path

from ..errors import DeepLabError, one_line
from ..formats.mat_labels import read_mat_labels
from ..images.class_names import CONTEXT_33, CONTEXT_59
from ..images.image_list import read_lines
from ..types import Bytes
from .convert import Table
from .folders import Collector, files_by_stem, find_root, place, read_ids
from .plan import VOID, Item, Net, Plan, Source

EXPECTED = {"train": 4998, "val": 5105}
LABELS = 459  # that labels.txt names
CLASSES = (60, 59, 34, 33)  # with background, without
# Some copies of labels.txt have the names of the authors' list of 59.
_OTHER_NAMES = {"table": "diningtable", "cloth": "clothes", "bedclothes": "bedcloth"}
_LINE = re.compile(r"(\d+)\s*:\s*(.+)")


def read_names(path: Path) -> dict[str, int]:
    """The 459 labels of labels.txt (`number: name` a line) by name."""
    names: dict[str, int] = {}
    for number, line in read_lines(str(path)):
        match = _LINE.fullmatch(line)
        if match is None or not 1 <= int(match[1][:6]) <= LABELS:
            raise DeepLabError(f"{path}:{number}: `number: name` wanted, of 1 to {LABELS}")
        names.setdefault(match[2].strip().lower(), int(match[1]))
    return names


def class_table(path: Path, classes: int) -> Table:
    """The class of each of the 459 labels, by the names in labels.txt; 0, or void, for those of no class.

    classes: 60 or 34 with background, 59 or 33 without.
    """
    numbers = read_names(path)
    first = classes % 2 == 0
    labels = dict.fromkeys(range(LABELS + 1), 0 if first else VOID)
    for label, name in enumerate(CONTEXT_59 if classes >= 59 else CONTEXT_33):
        number = numbers.get(name, numbers.get(_OTHER_NAMES.get(name, "")))
        if number is None:
            raise DeepLabError(f"{path}: no label called {one_line(name)}")
        labels[number] = label + first
    return Table(LABELS + 1, labels, f"0 to {LABELS}")


def plan(root: Path, annotations: Path | None = None, classes: int = 60, incomplete: bool = False) -> Plan:
    """The plan for a folder VOC2010 and that of the annotations, which has `trainval` and `labels.txt`.

    annotations: default root. classes: one of CLASSES. incomplete: images without a file or a label are left
    out. DeepLabError: no such folders, a file is missing.
    """
    if classes not in CLASSES:
        raise DeepLabError(f"--classes {classes}: {', '.join(map(str, CLASSES))} wanted")
    needed = ("JPEGImages", "ImageSets/Main")
    given, root = root, find_root(root, (".", "VOC2010", "VOCdevkit/VOC2010"), needed, "PASCAL VOC 2010")
    if annotations is None:
        annotations = root if (root / "trainval").is_dir() else given
    what = "the annotations of PASCAL-Context"
    folder = (
        find_root(annotations, (".", "pascal-context", "PASCAL-Context"), ("trainval",), what) / "trainval"
    )
    names = next((path for path in (folder.parent, folder) if (path / "labels.txt").is_file()), folder.parent)
    table = class_table(names / "labels.txt", classes)
    labels = files_by_stem(folder, (".mat",))
    images = files_by_stem(root / "JPEGImages", (".jpg", ".jpeg", ".png"))
    out = f"Context{classes}"

    def read(path: Path) -> Bytes:
        return table.convert(read_mat_labels(path, "LabelMap"), path)

    def find(name: str, where: str) -> Item | str:
        if name not in images:
            return f"JPEGImages/{name}.jpg"
        if name not in labels:
            return f"trainval/{name}.mat"
        image = place(f"JPEGImages/{images[name]}", where)
        return Item(image, f"{out}/{name}.png", Source(folder / labels[name], read), where)

    collector = Collector(incomplete)
    return Plan(
        name="context",
        title=f"PASCAL-Context, {classes} classes",
        root=root,
        lists={
            name: collector.collect(name, read_ids(root / f"ImageSets/Main/{name}.txt"), find)
            for name in EXPECTED
        },
        expected=EXPECTED,
        links={"JPEGImages": root / "JPEGImages"},
        palette="context" if classes >= 59 else "context33",
        net=Net(out.lower(), 321),
        without_background=classes % 2 == 1,
        left_out=collector.left_out,
    )
