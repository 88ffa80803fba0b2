"""Files are read with a limit, and replaced whole or not at all."""

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.files import file_error, read_bytes, replacing


def test_read_bytes_has_a_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(DeepLabError, match="a: larger than the 4 bytes"):
        read_bytes(path, 4)
    with pytest.raises(DeepLabError, match="none: No such file or directory$"):
        read_bytes(tmp_path / "none", 5)


@pytest.mark.parametrize("durable", [False, True])
def test_replacing(tmp_path, durable):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path, durable) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_no_folder(tmp_path):
    with pytest.raises(DeepLabError, match="none/a: No such file"), replacing(tmp_path / "none" / "a"):
        pass
    assert str(file_error("x", ValueError("bad"))) == "x: bad"
