"""Tiny data sets in the folders of the official archives."""

import numpy as np
import pytest
import scipy.io

from deeplab_caffe.datasets import camvid, cityscapes, context, voc
from deeplab_caffe.images.class_names import CONTEXT_59
from tests.datasets.making import SIZE, lines, numbers, picture, save, save_sbd, voc_colours


@pytest.fixture
def voc_root(tmp_path):
    """VOCdevkit/VOC2012 with 2 + 2 images of its own, and benchmark_RELEASE with 4, one of VOC's val."""
    root = tmp_path / "VOCdevkit/VOC2012"
    for number, name in enumerate(("2007_000032", "2007_000033", "2007_000039", "2007_000042")):
        picture(root / f"JPEGImages/{name}.jpg", seed=number)
        save(root / f"SegmentationClass/{name}.png", numbers(0, 20, 255, number), voc_colours())
    lines(root / "ImageSets/Segmentation/train.txt", "2007_000032", "2007_000039")
    lines(root / "ImageSets/Segmentation/val.txt", "2007_000033", "2007_000042")
    sbd = tmp_path / "benchmark_RELEASE/dataset"
    for name in ("2007_000032", "2007_000033", "2008_000002", "2011_003276"):
        if name[:4] != "2007":
            picture(root / f"JPEGImages/{name}.jpg")
        save_sbd(sbd / f"cls/{name}.mat", numbers(0, 5, 9))
    lines(sbd / "train.txt", "2011_003276", "2007_000032")
    lines(sbd / "val.txt", "2008_000002", "2007_000033")
    # What archives and systems leave behind.
    for extra in ("JPEGImages/._2007_000032.jpg", "SegmentationClass/Thumbs.db", "JPEGImages/notes.txt"):
        (root / extra).write_bytes(b"\0")
    return root


@pytest.fixture
def small_voc(monkeypatch):
    """The official counts are those of `voc_root`."""
    monkeypatch.setattr(voc, "EXPECTED", {"train": 2, "val": 2, "trainval": 4})
    monkeypatch.setattr(voc, "AUGMENTED", {"train_aug": 4, "trainval_aug": 6})


@pytest.fixture
def context_root(tmp_path, monkeypatch):
    """VOCdevkit/VOC2010, and pascal-context with trainval and labels.txt: names of the 59 among 459."""
    monkeypatch.setattr(context, "EXPECTED", {"train": 1, "val": 1})
    root, notes = tmp_path / "VOCdevkit/VOC2010", tmp_path / "pascal-context"
    names = sorted([*CONTEXT_59, *(f"thing {number}" for number in range(400))])
    lines(notes / "labels.txt", *(f"{number}: {name}" for number, name in enumerate(names, 1)))
    (notes / "trainval").mkdir()
    for part, name in (("train", "2008_000002"), ("val", "2008_000003")):
        lines(root / f"ImageSets/Main/{part}.txt", name)
        picture(root / f"JPEGImages/{name}.jpg")
        of = [1 + names.index(each) for each in ("sky", "aeroplane", "wood", "thing 7", "thing 8")]
        scipy.io.savemat(
            notes / f"trainval/{name}.mat",
            {"LabelMap": np.resize(np.array(of, np.uint16), SIZE)},
            do_compression=True,
        )
    return tmp_path


@pytest.fixture
def cityscapes_root(tmp_path, monkeypatch):
    monkeypatch.setattr(cityscapes, "EXPECTED", {"train": 2, "val": 1, "test": 1})
    root = tmp_path / "cityscapes"
    for part, city, name in (
        ("train", "ulm", "ulm_000000_000019"),
        ("train", "aachen", "aachen_000001_000019"),
        ("val", "lindau", "lindau_000000_000019"),
        ("test", "berlin", "berlin_000000_000019"),
    ):
        picture(root / f"leftImg8bit/{part}/{city}/{name}_leftImg8bit.png")
        ids = numbers(0, 7, 8, 11, 33, 34 - 1, 26, 255) if part != "test" else numbers(0)
        for kind in ("labelIds", "instanceIds"):
            save(root / f"gtFine/{part}/{city}/{name}_gtFine_{kind}.png", ids)
    (root / "leftImg8bit/train/.DS_Store").write_bytes(b"")
    (root / "leftImg8bit/train/ulm/._ulm_000000_000019_leftImg8bit.png").write_bytes(b"")
    (root / "README").write_text("")
    return root


@pytest.fixture
def camvid_root(tmp_path, monkeypatch):
    """The official archives: colours of all 32 labels and names of all four films."""
    monkeypatch.setattr(camvid, "EXPECTED", {"train": 2, "val": 1, "test": 2})
    root = tmp_path / "CamVid"
    colours = [colour for group in camvid.GROUPS.values() for colour in group.values()] + [(0, 0, 0)]
    labels = np.resize(np.array(colours, np.uint8), (*SIZE, 3))
    for name in ("0001TP_006690", "0016E5_08190", "0016E5_08159", "0001TP_008550", "Seq05VD_f00000"):
        picture(root / f"701_StillsRaw_full/{name}.png")
        save(root / f"LabeledApproved_full/{name}_L.png", labels)
    picture(root / "701_StillsRaw_full/Thumbs.png")
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
