import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.datasets.voc import plan, read_label, read_sbd_label
from deeplab_caffe.errors import DeepLabError
from tests.datasets.making import SIZE, lines, numbers, picture, read, save, save_sbd, voc_colours


def test_lists_are_those_of_the_authors(voc_root, small_voc, tmp_path, out):
    found = plan(tmp_path, tmp_path / "benchmark_RELEASE")
    assert found.check_counts(False) == [] and found.train == "train_aug" and found.root == voc_root
    prepare(found, out, 2)
    lists = {path.name: path.read_text() for path in (out / "list").iterdir()}
    line = "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png\n"
    train = ("2007_000032", "2007_000039")
    val = ("2007_000033", "2007_000042")
    assert lists["train.txt"] == "".join(map(line.format, train))
    assert lists["val.txt"] == "".join(map(line.format, val))
    assert lists["val_id.txt"] == "2007_000033\n2007_000042\n"
    assert lists["trainval.txt"] == lists["train.txt"] + lists["val.txt"]
    assert lists["train_aug.txt"] == "".join(map(line.format, (*train, "2008_000002", "2011_003276")))
    aug = sorted((*train, *val, "2008_000002", "2011_003276"))
    assert lists["trainval_aug.txt"] == "".join(map(line.format, aug))
    assert "test.txt" not in lists


def test_labels(voc_root, tmp_path, out):
    prepare(plan(voc_root, tmp_path / "benchmark_RELEASE", True), out, 1)
    made = {path.stem: read(path) for path in (out / "SegmentationClassAug").iterdir()}
    assert len(made) == 6 and all(labels.dtype == np.uint8 for labels in made.values())
    # Where both have labels VOC's count, with their border.
    assert (made["2007_000032"] == numbers(0, 20, 255, 0)).all()
    assert (made["2007_000033"] == numbers(0, 20, 255, 1)).all()
    assert (made["2008_000002"] == numbers(0, 5, 9)).all()
    assert Image.open(out / "SegmentationClassAug/2008_000002.png").mode == "L"
    assert (out / "JPEGImages").resolve() == voc_root / "JPEGImages"


def test_without_sbd_and_with_the_test_images(voc_root, small_voc, out):
    lines(voc_root / "ImageSets/Segmentation/test.txt", "2008_000006")
    picture(voc_root / "JPEGImages/2008_000006.jpg")
    found = plan(voc_root)
    assert found.train == "train" and "train_aug" not in found.lists
    with pytest.raises(DeepLabError, match="VOC2012: test: 1,456 images expected, 1 found"):
        found.check_counts(False)
    prepare(found, out, 1)
    assert (out / "list/test.txt").read_text() == "/JPEGImages/2008_000006.jpg\n"
    assert (out / "list/test_id.txt").read_text() == "2008_000006\n"


def test_counts(voc_root, tmp_path):
    with pytest.raises(DeepLabError, match=r"VOC2012: train: 1,464 images expected, 2 found \(--partial"):
        plan(voc_root).check_counts(False)
    remarks = plan(voc_root, tmp_path / "benchmark_RELEASE", True).check_counts(True)
    assert [remark.split(": ")[1] for remark in remarks] == [
        "train",
        "val",
        "trainval",
        "train_aug",
        "trainval_aug",
    ]
    assert remarks[3].endswith("train_aug: 10,582 images expected, 4 found")


def test_what_is_missing(voc_root, small_voc):
    (voc_root / "SegmentationClass/2007_000039.png").unlink()
    with pytest.raises(DeepLabError, match=r"train.txt:2: no SegmentationClass/2007_000039.png \(--partial"):
        plan(voc_root)
    (voc_root / "JPEGImages/2007_000033.jpg").unlink()
    found = plan(voc_root, incomplete=True)
    assert [len(items) for items in found.lists.values()] == [1, 1, 2]
    assert found.left_out["val"] == ["JPEGImages/2007_000033.jpg"]
    assert found.check_counts(True)[1].endswith(
        "2 images expected, 1 found; missing: JPEGImages/2007_000033.jpg"
    )
    with pytest.raises(DeepLabError, match="nowhere: no such folder"):
        plan(voc_root / "nowhere")
    with pytest.raises(DeepLabError, match="not SBD: no folder with cls in it"):
        plan(voc_root, voc_root, True)
    (voc_root / "ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(DeepLabError, match="val.txt: No such file"):
        plan(voc_root)


def test_sbd_does_not_stand_in_for_voc(voc_root, tmp_path):
    (voc_root / "SegmentationClass/2007_000033.png").unlink()  # SBD has it, without a border
    with pytest.raises(DeepLabError, match="val.txt:1: no SegmentationClass/2007_000033.png"):
        plan(voc_root, tmp_path / "benchmark_RELEASE")


def test_lists_are_wanted(voc_root, tmp_path):
    (tmp_path / "benchmark_RELEASE/dataset/val.txt").unlink()
    with pytest.raises(DeepLabError, match="benchmark_RELEASE/dataset/val.txt: No such file"):
        plan(voc_root, tmp_path / "benchmark_RELEASE", True)
    (voc_root / "ImageSets/Segmentation/val.txt").write_text("\n")
    with pytest.raises(DeepLabError, match="ImageSets/Segmentation/val.txt: the list is empty"):
        plan(voc_root, incomplete=True)


def test_extensions_in_capitals(voc_root, small_voc, out):
    for name, folder in (("2007_000032.jpg", "JPEGImages"), ("2007_000032.png", "SegmentationClass")):
        path = voc_root / folder / name
        path.rename(path.with_suffix(path.suffix.upper()))
    prepare(plan(voc_root), out, 1)
    first = (out / "list/train.txt").read_text().splitlines()[0]
    assert first == "/JPEGImages/2007_000032.JPG /SegmentationClassAug/2007_000032.png"
    assert read(out / "SegmentationClassAug/2007_000032.png").shape == SIZE


def test_a_name_twice(voc_root):
    lines(voc_root / "ImageSets/Segmentation/val.txt", "2007_000033", "2007_000042", "2007_000033")
    with pytest.raises(DeepLabError, match=r"val.txt:3: 2007_000033 is in the list twice \(line 1\)"):
        plan(voc_root)


def test_kinds_of_label_images(tmp_path):
    labels, path = numbers(0, 20, 255, 7), tmp_path / "a.png"
    colours = voc_colours()
    reordered = np.roll(colours, 3, axis=0)
    for image, palette in (
        (labels, None),
        (labels, colours),
        (colours[labels], None),
        (labels + 3, reordered),  # sorted anew by some program: the colours tell
        (labels, np.arange(256)[:, None].repeat(3, 1)),
    ):
        save(path, image, palette)
        assert (read_label(path) == labels).all()
    Image.fromarray(colours[labels]).convert("RGBA").save(path)
    assert (read_label(path) == labels).all()


@pytest.mark.parametrize(
    "value, message",
    [
        (21, "a.png: row 2, column 5: label 21; 0 to 20 or 255"),
        ((224, 224, 193), "a.png: row 2, column 5: colour 224 224 193; one of VOC's"),
    ],
)
def test_what_is_no_class(tmp_path, value, message):
    labels = numbers(0, 20)
    image = labels.copy() if isinstance(value, int) else voc_colours()[labels]
    image[2, 5] = value
    save(tmp_path / "a.png", image)
    with pytest.raises(DeepLabError, match=message):
        read_label(tmp_path / "a.png")


def test_broken_labels(tmp_path):
    save_sbd(tmp_path / "a.mat", numbers(0, 20, 21))
    with pytest.raises(DeepLabError, match=r"a.mat: row 0, column 2: label 21; 0 to 20 wanted"):
        read_sbd_label(tmp_path / "a.mat")
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((3, 4, 4), np.uint8)).save(path)
    with pytest.raises(DeepLabError, match="a.png: a label map with transparent pixels"):
        read_label(path)
    Image.new("LA", (4, 3)).save(path)
    with pytest.raises(DeepLabError, match="a.png: a label map is a grey, palette or colour image, .* LA"):
        read_label(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DeepLabError, match="a.png: "):
        read_label(path)
