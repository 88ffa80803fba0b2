import random

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.mat_labels import read_mat_labels

LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def sbd(path, labels=LABELS, compressed=True):
    """As the files of SBD: a struct of boundaries (a cell of sparse matrices), labels, categories."""
    boundaries = np.empty((20, 1), object)
    for row in range(20):
        boundaries[row, 0] = scipy.sparse.csc_matrix(labels == row)
    gtcls = {"Boundaries": boundaries, "Segmentation": labels, "CategoriesPresent": np.array([[1.0, 5.0]])}
    scipy.io.savemat(path, {"GTcls": gtcls}, do_compression=compressed)


@pytest.mark.parametrize("compressed", [False, True])
def test_sbd(tmp_path, compressed):
    path = tmp_path / "a.mat"
    sbd(path, compressed=compressed)
    read = read_mat_labels(path, "GTcls.Segmentation")
    assert read.shape == (3, 4) and (read == LABELS).all()
    with pytest.raises(DeepLabError, match=r"a.mat: no field 'GTcls.Instances'; there are: Boundaries, Seg"):
        read_mat_labels(path, "GTcls.Instances")
    with pytest.raises(DeepLabError, match=r"a.mat: no variable 'LabelMap'"):
        read_mat_labels(path, "LabelMap")
    with pytest.raises(DeepLabError, match=r"'GTcls' is not an array of real numbers"):
        read_mat_labels(path, "GTcls")
    with pytest.raises(DeepLabError, match=r"'GTcls.Boundaries' is not an array of real numbers"):
        read_mat_labels(path, "GTcls.Boundaries")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, float])
def test_label_map(tmp_path, kind):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"other": 1, "LabelMap": (LABELS + 200).astype(kind)}, do_compression=True)
    read = read_mat_labels(path, "LabelMap")
    assert read.dtype.kind in "iu" and (read == LABELS.astype(int) + 200).all()
    with pytest.raises(DeepLabError, match="'LabelMap' is not a struct of 1x1"):
        read_mat_labels(path, "LabelMap.Segmentation")


@pytest.mark.parametrize(
    "value, message",
    [
        (np.full((2, 2), 1.5), "holds 1.5, no label"),
        (np.full((2, 2), np.nan), "holds nan, no label"),
        (np.zeros((2, 2, 2)), r"dimensions \[2, 2, 2\]"),
        (np.zeros((0, 2)), r"dimensions \[0, 2\]"),
        (np.ones((2, 2)) * 1j, "no|not an array of real"),
        ("text", "not an array of real"),
    ],
)
def test_what_is_no_label_map(tmp_path, value, message):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"LabelMap": value})
    with pytest.raises(DeepLabError, match=rf"a.mat: 'LabelMap' .*{message}"):
        read_mat_labels(path, "LabelMap")


@pytest.mark.slow
def test_broken_files(tmp_path):
    path = tmp_path / "a.mat"
    sbd(path, compressed=False)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 8, 7):
        path.write_bytes(whole[:size])
        with pytest.raises(DeepLabError, match="a.mat"):
            read_mat_labels(path, "GTcls.Segmentation")
    chance = random.Random(0)
    for _ in range(1000):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(116, len(whole))] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            read_mat_labels(path, "GTcls.Segmentation")
        except DeepLabError as error:
            assert "\n" not in str(error)
