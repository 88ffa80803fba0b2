import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.datasets.cityscapes import plan, read_label
from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.errors import DeepLabError
from tests.datasets.making import numbers, picture, read, save


def test_lists_and_train_ids(cityscapes_root, out):
    found = plan(cityscapes_root.parent)
    assert found.check_counts(False) == []
    prepare(found, out, 2)
    lines = (out / "list/train.txt").read_text().splitlines()
    name = "train/aachen/aachen_000001_000019"
    made = f"gtFine_labelTrainIds/{name}_gtFine_labelTrainIds.png"
    assert lines[0] == f"/leftImg8bit/{name}_leftImg8bit.png /{made}" and len(lines) == 2
    assert (read(out / made) == numbers(255, 0, 1, 2, 18, 18, 13, 255)).all()
    test = "/leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png\n"
    assert (out / "list/test.txt").read_text() == test
    assert (out / "list/val_id.txt").read_text() == "lindau_000000_000019_leftImg8bit\n"
    assert len(list(out.rglob("*TrainIds.png"))) == 3


def test_every_id(tmp_path):
    """By the names of the labels, in the order of the ids."""
    names = (
        "unlabeled|ego vehicle|rectification border|out of roi|static|dynamic|ground|road|sidewalk|parking|"
        "rail track|building|wall|fence|guard rail|bridge|tunnel|pole|polegroup|traffic light|traffic sign|"
        "vegetation|terrain|sky|person|rider|car|truck|bus|caravan|trailer|train|motorcycle|bicycle"
    ).split("|")
    from deeplab_caffe.images.class_names import CITYSCAPES

    classes = list(CITYSCAPES)
    wanted = [classes.index(name) if name in classes else 255 for name in names]
    save(tmp_path / "a.png", np.arange(34, dtype=np.uint8)[None])
    assert read_label(tmp_path / "a.png").tolist() == [wanted]
    assert sorted(set(wanted)) == [*range(19), 255]


def test_faults(cityscapes_root, out):
    label = cityscapes_root / "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png"
    save(label, numbers(7, 34))
    with pytest.raises(DeepLabError, match="labelIds.png: row 0, column 1: label 34; 0 to 33 or 255 wanted"):
        prepare(plan(cityscapes_root), out, 1)
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(label)
    with pytest.raises(DeepLabError, match="labelIds.png: a label map of numbers is a grey image, .* is RGB"):
        prepare(plan(cityscapes_root), out, 1)
    label.unlink()
    with pytest.raises(DeepLabError, match="leftImg8bit.png: no gtFine/val/lindau/lindau_000000_000019_gtF"):
        plan(cityscapes_root)
    found = plan(cityscapes_root, incomplete=True)
    assert found.lists["val"] == [] and len(found.left_out["val"]) == 1
    with pytest.raises(DeepLabError, match="val: 1 images expected, 0 found; missing: gtFine/val"):
        found.check_counts(False)
    picture(cityscapes_root / "leftImg8bit/train/ulm/a b_leftImg8bit.png")
    save(cityscapes_root / "gtFine/train/ulm/a b_gtFine_labelIds.png", numbers(7))
    with pytest.raises(DeepLabError, match="white space in a name"):
        plan(cityscapes_root, incomplete=True)
    with pytest.raises(DeepLabError, match="not Cityscapes: no folder with leftImg8bit and gtFine"):
        plan(cityscapes_root / "gtFine")
