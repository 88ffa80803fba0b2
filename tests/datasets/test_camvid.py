from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.datasets.camvid import GROUPS, list_of, plan, read_label
from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images.class_names import CAMVID
from tests.datasets.making import SIZE, numbers, picture, read, save

REAL = Path(__file__).parents[2] / "../shared/data/camvid"


def test_the_official_archives(camvid_root, out):
    found = plan(camvid_root)
    assert found.check_counts(False) == []
    prepare(found, out, 2)
    line = "/701_StillsRaw_full/{0}.png /labels11/{0}.png\n"
    for name, members in {
        "train": ("0001TP_006690", "0016E5_08190"),
        "val": ("0016E5_08159",),
        "test": ("0001TP_008550", "Seq05VD_f00000"),
    }.items():
        assert (out / f"list/{name}.txt").read_text() == "".join(map(line.format, members))
    wanted = [label for label, group in enumerate(GROUPS.values()) for _ in group] + [255]
    assert len(wanted) == 32 and list(GROUPS) == list(CAMVID)
    made = read(out / "labels11/0016E5_08159.png")
    assert (made == np.resize(np.array(wanted), SIZE)).all()


def test_segnet(tmp_path, out):
    for part, name in (("train", "0006R0_f00930"), ("val", "0016E5_07959"), ("test", "Seq05VD_f00030")):
        picture(tmp_path / f"{part}/{name}.png")
        save(tmp_path / f"{part}annot/{name}.png", numbers(0, 10, 11))
    found = plan(tmp_path)
    assert found.check_counts(True) and [len(items) for items in found.lists.values()] == [1, 1, 1]
    prepare(found, out, 1)
    assert (read(out / "labels11/0016E5_07959.png") == numbers(0, 10, 255)).all()
    assert (out / "list/val.txt").read_text() == "/val/0016E5_07959.png /labels11/0016E5_07959.png\n"


def test_colours_of_the_11_classes(tmp_path):
    colours = np.array([*CAMVID.values(), (0, 0, 0)], np.uint8)
    labels = numbers(*range(12))
    save(tmp_path / "a.png", colours[labels])
    assert (read_label(tmp_path / "a.png") == np.where(labels == 11, 255, labels)).all()


@pytest.mark.skipif(not REAL.exists(), reason="needs the CamVid images")
def test_frames_of_the_real_lists():
    for part, count in (("train", 367), ("val", 101)):
        names = (REAL / f"list/{part}_id.txt").read_text().split()
        assert len(names) == count and {list_of(name) for name in names} == {part}
    assert list_of("0001TP_008550") == list_of("Seq05VD_f00000") == "test" and list_of("frame") is None


def test_faults(camvid_root, out):
    label = camvid_root / "LabeledApproved_full/0016E5_08159_L.png"
    pixels = read(label).copy()
    pixels[3, 4] = (1, 2, 3)
    save(label, pixels)
    with pytest.raises(DeepLabError, match="08159_L.png: row 3, column 4: colour 1 2 3; one of CamVid's"):
        prepare(plan(camvid_root), out, 1)
    save(label, numbers(0, 12))
    with pytest.raises(DeepLabError, match="08159_L.png: row 0, column 1: label 12; 0 to 11 or 255 wanted"):
        prepare(plan(camvid_root), out, 1)
    label.unlink()
    with pytest.raises(DeepLabError, match="08159.png: no LabeledApproved_full/0016E5_08159_L.png"):
        plan(camvid_root)
    with pytest.raises(DeepLabError, match="not CamVid: no folders 701_StillsRaw_full and Labeled"):
        plan(camvid_root / "701_StillsRaw_full")
    with pytest.raises(DeepLabError, match="none: no such folder"):
        plan(camvid_root / "none")
