import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.npy import read_npy, write_npy


def test_written_and_read_again(tmp_path):
    values = np.arange(6.0).reshape(2, 3).T
    write_npy(tmp_path / "a.npy", values)
    assert (read_npy(tmp_path / "a.npy") == values).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\0\x76\0"])
def test_broken_files(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DeepLabError, match="no .npy file"):
        read_npy(tmp_path / "a.npy")


def test_no_numbers(tmp_path):
    np.save(tmp_path / "a.npy", np.array(["text"]))
    with pytest.raises(DeepLabError, match="array of numbers wanted"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(DeepLabError, match="No such file"):
        read_npy(tmp_path / "none.npy")
