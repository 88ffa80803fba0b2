"""Scores in any format: written, read again, in the order of the image; and what does not fit."""

import subprocess
import sys

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import scores
from deeplab_caffe.formats.bin import write_bin
from deeplab_caffe.formats.mat import write_mat
from deeplab_caffe.formats.registry import SCORES

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)  # labels, H, W


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".bin", ".NPY"])
def test_written_and_read_again(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    scores.write_scores(path, VALUES)
    found = scores.read_values(path, 3, 4)
    assert found.dtype == np.float32 and (found == VALUES.transpose(1, 2, 0)).all()


def test_the_top_left_part_of_larger_maps(tmp_path):
    write_mat(tmp_path / "a.mat", VALUES)
    np.save(tmp_path / "a.npy", VALUES[None])
    for name in ("a.mat", "a.npy"):
        assert (scores.read_values(tmp_path / name, 2, 3) == VALUES[:, :2, :3].transpose(1, 2, 0)).all()
        with pytest.raises(DeepLabError, match="2 x 3 x 4 values for an image of 4 x 4"):
            scores.read_values(tmp_path / name, 4, 4)


def test_an_array_may_have_labels_last(tmp_path):
    np.save(tmp_path / "a.npy", VALUES.astype(np.float64))
    assert (scores.read_values(tmp_path / "a.npy", 2, 3) == VALUES).all()


def test_bin_fits_the_image_and_is_no_label_map(tmp_path):
    write_bin(tmp_path / "a.bin", VALUES)
    with pytest.raises(DeepLabError, match="2 x 3 x 4 values for an image of 1 x 3"):
        scores.read_values(tmp_path / "a.bin", 1, 3)
    write_bin(tmp_path / "b.bin", np.ones((2, 3), np.int16))
    assert scores.read_scores(tmp_path / "b.bin").order == "label map"
    with pytest.raises(DeepLabError, match="b.bin: a label map"):
        scores.read_values(tmp_path / "b.bin", 2, 3)


def test_unknown_files(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3")
    with pytest.raises(DeepLabError, match=r"a.txt: no scores; looked for DeepLab v1 \(.bin\), MATLAB"):
        scores.read_values(tmp_path / "a.txt", 1, 1)
    with pytest.raises(DeepLabError, match="no name for scores; one of DeepLab v1"):
        scores.write_scores(tmp_path / "a.txt", VALUES)


def test_each_file_that_registers_a_format_is_found_and_no_other():
    assert {"DeepLab v1", "MATLAB", "NumPy"} <= SCORES.formats.keys()
    code = "import sys; from deeplab_caffe.formats import scores; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
