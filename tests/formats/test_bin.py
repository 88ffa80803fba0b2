from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.bin import read_bin, write_bin

REFERENCE = Path(__file__).parents[2] / "../shared/reference/pipeline"


def test_layout(tmp_path):
    path = tmp_path / "a.bin"
    write_bin(path, np.array([[1, 2, 3], [4, 5, 6]], np.int16))
    assert np.frombuffer(path.read_bytes()[:12], "<i4").tolist() == [2, 3, 1]
    assert np.frombuffer(path.read_bytes()[12:], "<i2").tolist() == [1, 4, 2, 5, 3, 6]
    assert read_bin(path)[:, :, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_round_trip(tmp_path, dtype):
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    for array in (values, np.asfortranarray(values), values[::-1]):
        write_bin(tmp_path / "a.bin", array)
        again = read_bin(tmp_path / "a.bin")
        assert again.dtype == dtype
        assert (again == array).all()


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference files")
def test_files_of_the_original(tmp_path):
    for path in REFERENCE.glob("refine_pascal*/*/*.bin"):
        values = read_bin(path)
        assert values.dtype == (np.float32 if path.parent.name == "features" else np.int16)
        write_bin(tmp_path / "a.bin", values)
        assert (tmp_path / "a.bin").read_bytes() == path.read_bytes()


def test_broken_files(tmp_path):
    path = tmp_path / "a.bin"
    write_bin(path, np.zeros((2, 3), np.float32))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size == 12 + 6 * 2:
            continue  # Half the bytes are as many int16.
        with pytest.raises(DeepLabError, match="a.bin"):
            read_bin(path)
    for dims in ((-2, -3, 1), (2**31 - 1,) * 3, (0, 0, 0)):
        path.write_bytes(np.array(dims, "<i4").tobytes() + bytes(24))
        with pytest.raises(DeepLabError, match="neither"):
            read_bin(path)
    with pytest.raises(DeepLabError, match="No such file"):
        read_bin(tmp_path / "b.bin")
    with pytest.raises(DeepLabError, match="float64"):
        write_bin(path, np.zeros((2, 2)))
