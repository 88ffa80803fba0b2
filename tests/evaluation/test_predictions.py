"""Label maps found in a folder, whatever program left them there."""

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.evaluation.predictions import read_prediction, read_truth
from deeplab_caffe.formats.bin import write_bin
from deeplab_caffe.formats.mat import write_mat

LABELS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
SCORES = (LABELS == np.arange(3)[:, None, None]).astype(np.float32)  # labels, H, W


def write_png(path):
    Image.fromarray(LABELS).save(path)


@pytest.mark.parametrize(
    "name, write",
    [
        ("a.png", write_png),
        ("a.bin", lambda path: write_bin(path, LABELS.astype(np.int16))),
        ("a.bin", lambda path: write_bin(path, SCORES.transpose(1, 2, 0))),
        ("a_blob_0.mat", lambda path: write_mat(path, SCORES)),
        ("a.mat", lambda path: write_mat(path, SCORES)),
        ("a.npy", lambda path: np.save(path, SCORES)),
    ],
)
def test_formats(tmp_path, name, write):
    write(tmp_path / name)
    assert (read_prediction(tmp_path, "a", 2, 3) == LABELS).all()


@pytest.mark.parametrize(
    "name, write",
    [
        ("a.png", write_png),
        ("a.bin", lambda path: write_bin(path, LABELS.astype(np.int16))),
        ("a.mat", lambda path: write_mat(path, LABELS)),
        ("a.npy", lambda path: np.save(path, LABELS)),
        ("a.npy", lambda path: np.save(path, LABELS[None].astype(np.int64))),
    ],
)
def test_truth(tmp_path, name, write):
    write(tmp_path / name)
    truth = read_truth(tmp_path / name)
    assert truth.dtype == np.uint8 and (truth == LABELS).all()


@pytest.mark.parametrize(
    "values, message",
    [
        (SCORES, "3 x 2 x 3 values; a label map has rows and columns"),
        (np.array([[0.0, 1.5]]), "row 0, column 1: 1.5 is no label"),
        (np.array([[0.0], [np.nan]]), "row 1, column 0: nan is no label"),
        (np.array([[-1, 0]]), "row 0, column 0: -1 is no label"),
        (np.array([[256, 0]]), "row 0, column 0: 256 is no label"),
    ],
)
def test_what_is_no_truth(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DeepLabError, match=f"a.npy: {message}"):
        read_truth(tmp_path / "a.npy")


def test_scores_of_padded_images_are_cut(tmp_path):
    write_mat(tmp_path / "a.mat", SCORES)
    assert (read_prediction(tmp_path, "a", 1, 2) == LABELS[:1, :2]).all()


@pytest.mark.parametrize("height, width", [(1, 2), (2, 2), (2, 4), (3, 3)])
def test_labels_have_the_size_of_the_truth(tmp_path, height, width):
    write_png(tmp_path / "a.png")
    write_bin(tmp_path / "b.bin", LABELS.astype(np.int16))
    for name in ("a", "b"):
        with pytest.raises(DeepLabError, match=f"2x3 labels for an image of {height}x{width}"):
            read_prediction(tmp_path, name, height, width)


def test_what_does_not_fit(tmp_path):
    with pytest.raises(DeepLabError, match="no prediction a.png, .bin, .mat or .npy"):
        read_prediction(tmp_path, "a", 2, 3)
    write_png(tmp_path / "a.png")
    with pytest.raises(DeepLabError, match="a.png: 2x3 labels for an image of 2x4"):
        read_prediction(tmp_path, "a", 2, 4)
