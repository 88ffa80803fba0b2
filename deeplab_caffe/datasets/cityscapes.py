"""Cityscapes (Cordts et al., CVPR 2016), fine annotations: 34 ids to the 19 classes that count.

The ids are those of `*_gtFine_labelIds.png`; the labels made are its train ids, all else 255.
"""

from pathlib import Path

from ..types import Bytes
from .convert import Table, read_numbers
from .folders import Collector, files_by_stem, find_root, place
from .plan import VOID, Item, Net, Plan, Source

EXPECTED = {"train": 2975, "val": 500, "test": 1525}
IDS = 34
TRAIN_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)  # of classes 0 to 18
LABELS = "gtFine_labelTrainIds"
_IMAGE, _LABEL = "_leftImg8bit", "_gtFine_labelIds"

# 255 is how bytes hold the id -1, of license plates.
_TABLE = Table(
    256,
    dict.fromkeys((*range(IDS), 255), VOID) | {number: label for label, number in enumerate(TRAIN_IDS)},
    f"0 to {IDS - 1} or 255",
)


def read_label(path: Path) -> Bytes:
    """The train ids of an image of ids."""
    return read_numbers(path, _TABLE)


def plan(root: Path, incomplete: bool = False) -> Plan:
    """The plan for a folder with `leftImg8bit` and `gtFine`, each with train, val, test and cities in them.

    The labels of test are secret, its files in gtFine hold none; its list has images alone. incomplete:
    images without a label are left out. DeepLabError: no such folders, a file is missing.
    """
    root = find_root(root, (".", "cityscapes", "Cityscapes"), ("leftImg8bit", "gtFine"), "Cityscapes")
    collector = Collector(incomplete)
    lists = {}
    for name in EXPECTED:
        folder = root / "leftImg8bit" / name
        cities = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        lists[name] = [
            item
            for city in cities
            if not city.name.startswith(".")
            for item in _city(root, name, city, collector)
        ]
    return Plan(
        name="cityscapes",
        title="Cityscapes",
        root=root,
        lists=lists,
        expected=EXPECTED,
        links={"leftImg8bit": root / "leftImg8bit"},
        palette="cityscapes",
        net=Net("cityscapes", 513),
        left_out=collector.left_out,
    )


def _city(root: Path, part: str, city: Path, collector: Collector) -> list[Item]:
    labels_folder = root / "gtFine" / part / city.name
    labels = files_by_stem(labels_folder, (".png",)) if labels_folder.is_dir() else {}
    images = files_by_stem(city, (".png", ".jpg"))

    def find(name: str, where: str) -> Item | str:
        image = place(f"leftImg8bit/{part}/{city.name}/{images[name]}", where)
        if part == "test":
            return Item(image, where=where)
        base = name.removesuffix(_IMAGE)
        if base + _LABEL not in labels:
            return f"gtFine/{part}/{city.name}/{base}{_LABEL}.png"
        source = Source(labels_folder / labels[base + _LABEL], read_label)
        return Item(image, f"{LABELS}/{part}/{city.name}/{base}_gtFine_labelTrainIds.png", source, where)

    return collector.collect(part, ((n, f"{city}/{images[n]}") for n in images if n.endswith(_IMAGE)), find)
