"""Archives of arrays, whole and damaged."""

import random

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.npz import read_npz

ARRAYS = {
    "net/conv/weights": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "net/conv/biases": np.arange(4, dtype=np.float64) / 4,
    "step": np.int64(7),
    "fortran": np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_values(tmp_path, save):
    save(tmp_path / "x.npz", **ARRAYS, words=np.array(["a", "b"]))
    found = read_npz(tmp_path / "x.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        values = found[name].read()
        assert found[name].shape == array.shape and values.dtype == np.float32
        assert np.array_equal(values, array)


def test_never_unpickles(tmp_path):
    np.savez(tmp_path / "x.npz", evil=np.array([{}], dtype=object))
    assert read_npz(tmp_path / "x.npz") == {}


@pytest.mark.slow
def test_damaged(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **ARRAYS)
    whole = path.read_bytes()
    draw = random.Random(2)
    damaged = [whole[:size] for size in range(0, len(whole), 5)]
    for _ in range(500):
        at = draw.randrange(len(whole))
        damaged.append(whole[:at] + bytes([draw.randrange(256)]) + whole[at + 1 :])
    for data in damaged:
        path.write_bytes(data)
        try:
            for array in read_npz(path).values():
                array.read()
        except DeepLabError as caught:
            assert "x.npz: " in str(caught) and "\n" not in str(caught)


def test_no_such_file(tmp_path):
    with pytest.raises(DeepLabError, match=r"x\.npz: No such file"):
        read_npz(tmp_path / "x.npz")
