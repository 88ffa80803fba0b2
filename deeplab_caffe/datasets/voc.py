"""PASCAL VOC 2012 with the labels that SBD (Hariharan et al., ICCV 2011) adds: 10,582 images to train on.

Lists as the DeepLab authors have them: train_aug is VOC's train and all of SBD without VOC's val. Where both
label an image VOC's labels count, which have a void border; SBD's have none.
"""

from pathlib import Path

from ..formats.mat_labels import read_mat_labels
from ..images.class_names import VOC
from ..images.voc_palette import voc_palette
from ..types import Bytes
from .convert import Colours, Table, read_colours_or_numbers, voids
from .folders import Collector, files_by_stem, find_root, place, read_ids
from .plan import VOID, Item, Net, Plan, Source

LABELS = "SegmentationClassAug"
EXPECTED = {"train": 1464, "val": 1449, "trainval": 2913}
AUGMENTED = {"train_aug": 10_582, "trainval_aug": 12_031}
TEST = {"test": 1456}

_PALETTE = [tuple(colour) for colour in voc_palette(256).tolist()]
_WANTED = f"0 to {len(VOC) - 1} or {VOID} (void)"
_NUMBERS = Table(256, voids(len(VOC)), _WANTED)
_SBD_NUMBERS = Table(256, {label: label for label in range(len(VOC))}, f"0 to {len(VOC) - 1}")
_COLOURS = Colours(
    {_PALETTE[label]: label for label in (*range(len(VOC)), VOID)}, "one of VOC's colours for its classes"
)


def read_label(path: Path) -> Bytes:
    """A label map of SegmentationClass: palette image as released, or turned into colours or grey."""
    return read_colours_or_numbers(path, _COLOURS, _NUMBERS, _PALETTE)


def read_sbd_label(path: Path) -> Bytes:
    """A label map of SBD's folder cls."""
    return _SBD_NUMBERS.convert(read_mat_labels(path, "GTcls.Segmentation"), path)


def plan(root: Path, sbd: Path | None = None, incomplete: bool = False) -> Plan:
    """The plan for a folder VOC2012 (or VOCdevkit, or where that lies), and for SBD's folder.

    incomplete: images without a file or a label are left out. DeepLabError: no such folders, a file is
    missing.
    """
    needed = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
    root = find_root(root, (".", "VOC2012", "VOCdevkit/VOC2012"), needed, "PASCAL VOC 2012")
    lists = root / "ImageSets/Segmentation"
    ids = {name: read_ids(lists / f"{name}.txt") for name in ("train", "val")}
    ids["trainval"] = ids["train"] + ids["val"]
    expected = dict(EXPECTED)
    labels = {
        stem: Source(root / "SegmentationClass" / name, read_label)
        for stem, name in files_by_stem(root / "SegmentationClass", (".png",)).items()
    }
    if sbd is not None:
        sbd = find_root(sbd, (".", "dataset", "benchmark_RELEASE/dataset"), ("cls",), "SBD")
        added = files_by_stem(sbd / "cls", (".mat",))
        own = dict(ids["trainval"])  # of these VOC's labels count, SBD's have no border
        labels |= {
            stem: Source(sbd / "cls" / name, read_sbd_label)
            for stem, name in added.items()
            if stem not in own and stem not in labels
        }
        both = {name: where for part in ("train", "val") for name, where in read_ids(sbd / f"{part}.txt")}
        both |= dict(ids["train"])
        val = dict(ids["val"])
        ids["train_aug"] = sorted((name, where) for name, where in both.items() if name not in val)
        ids["trainval_aug"] = sorted((both | val).items())
        expected |= AUGMENTED
    if (lists / "test.txt").is_file():  # in the archive of the test images
        ids["test"] = read_ids(lists / "test.txt")
    images = files_by_stem(root / "JPEGImages", (".jpg", ".jpeg", ".png"))

    def find(name: str, where: str) -> Item | str:
        if name not in images:
            return f"JPEGImages/{name}.jpg"
        image = place(f"JPEGImages/{images[name]}", where)
        if name in test:
            return Item(image, where=where)
        if name not in labels:
            return f"SegmentationClass/{name}.png"
        return Item(image, f"{LABELS}/{name}.png", labels[name], where)

    test = set(dict(ids.get("test", ())))
    collector = Collector(incomplete)
    return Plan(
        name="voc",
        title="PASCAL VOC 2012" + (" with SBD" if sbd else ""),
        root=root,
        lists={name: collector.collect(name, entries, find) for name, entries in ids.items()},
        expected=expected | TEST,
        links={"JPEGImages": root / "JPEGImages"},
        palette="voc",
        net=Net("voc12", 321),
        train="train_aug" if sbd else "train",
        left_out=collector.left_out,
    )
