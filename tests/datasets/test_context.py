import pytest
import scipy.io

from deeplab_caffe.datasets.context import plan
from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images.class_names import CONTEXT_33, CONTEXT_59
from tests.datasets.making import SIZE, numbers, read


@pytest.mark.parametrize(
    "classes, labels",
    [
        # sky, aeroplane, wood, two of the 400 others
        (60, (1 + CONTEXT_59.index("sky"), 1, 59, 0, 0)),
        (59, (CONTEXT_59.index("sky"), 0, 58, 255, 255)),
        (34, (21, 1, 0, 0, 0)),
        (33, (CONTEXT_33.index("sky"), 0, 255, 255, 255)),
    ],
)
def test_classes(context_root, out, classes, labels):
    found = plan(context_root / "VOCdevkit", context_root, classes)
    assert found.check_counts(False) == []
    prepare(found, out, 1)
    assert (read(out / f"Context{classes}/2008_000002.png") == numbers(*labels)).all()
    line = f"/JPEGImages/2008_000003.jpg /Context{classes}/2008_000003.png\n"
    assert (out / "list/val.txt").read_text() == line


def test_the_names_of_the_list_of_59(context_root):
    names = context_root / "pascal-context/labels.txt"
    text = names.read_text()
    for name, other in (("table", "diningtable"), ("cloth", "clothes"), ("bedclothes", "bedcloth")):
        text = text.replace(f": {name}\n", f": {other}\n")
    names.write_text(text)
    plan(context_root, context_root)
    names.write_text(text.replace(": wood\n", ": woods\n"))
    with pytest.raises(DeepLabError, match="labels.txt: no label called wood"):
        plan(context_root, context_root)


def test_places_of_the_annotations(context_root):
    notes, voc = context_root / "pascal-context", context_root / "VOCdevkit/VOC2010"
    assert len(plan(voc, notes).lists["val"]) == 1
    with pytest.raises(DeepLabError, match="VOC2010: not the annotations of PASCAL-Context: no folder"):
        plan(voc)
    (notes / "trainval").rename(voc / "trainval")
    (notes / "labels.txt").rename(voc / "trainval/labels.txt")
    assert len(plan(voc).lists["val"]) == 1


def test_faults(context_root, out):
    voc, notes = context_root / "VOCdevkit/VOC2010", context_root / "pascal-context"
    with pytest.raises(DeepLabError, match="--classes 20: 60, 59, 34, 33 wanted"):
        plan(voc, notes, 20)
    mat = notes / "trainval/2008_000002.mat"
    scipy.io.savemat(mat, {"LabelMap": numbers(1).astype("u2") + 459})
    with pytest.raises(DeepLabError, match="000002.mat: row 0, column 0: label 460; 0 to 459 wanted"):
        prepare(plan(voc, notes), out, 1)
    scipy.io.savemat(mat, {"LabelMap": numbers(1, size=(SIZE[1], SIZE[0]))})
    message = "000002.mat: 16x12 labels for an image of 12x16, .*000002.jpg"
    with pytest.raises(DeepLabError, match=message):
        prepare(plan(voc, notes), out, 1)
    assert not (out / "list").exists() and not list(out.rglob("*.tmp"))
    mat.unlink()
    with pytest.raises(DeepLabError, match="train.txt:1: no trainval/2008_000002.mat"):
        plan(voc, notes)
    (notes / "labels.txt").write_text("1: sky\nsomething\n")
    with pytest.raises(DeepLabError, match="labels.txt:2: `number: name` wanted, of 1 to 459"):
        plan(voc, notes)
