import random
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.mat import read_mat, write_mat

REFERENCE = Path(__file__).parents[2] / "../shared/reference/pipeline/mat"
BLOB = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def test_round_trip(tmp_path):
    path = tmp_path / "a.mat"
    for blob in (BLOB, BLOB[:1, :1, :1, :1], BLOB[:, :, ::2], BLOB[0], BLOB[:1, :, :1, :3]):
        write_mat(path, blob)
        again = read_mat(path)
        assert again.dtype == np.float32 and again.ndim == 4
        assert (again == blob).all()
        assert path.stat().st_size % 8 == 0
    assert (scipy.io.loadmat(path)["data"].T == BLOB[:1, :, :1, :3]).all()


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference files")
def test_files_of_the_original(tmp_path):
    for path in sorted(REFERENCE.glob("*.mat")):
        blob = read_mat(path)
        assert blob.shape == (1, 11, 97, 97)
        write_mat(tmp_path / "a.mat", blob)
        # The first 116 bytes are a text with program and date.
        assert (tmp_path / "a.mat").read_bytes()[116:] == path.read_bytes()[116:]


def test_files_of_matlab(tmp_path):
    path = tmp_path / "a.mat"
    for options in ({}, {"do_compression": True}):
        scipy.io.savemat(path, {"other": 1, "data": np.arange(6.0).reshape(3, 2)}, **options)
        assert read_mat(path).tolist() == [[[[0, 2, 4], [1, 3, 5]]]]


def test_what_is_no_blob(tmp_path):
    path = tmp_path / "a.mat"
    for content in (
        {"x": 1},
        {"data": "text"},
        {"data": {"x": 1}},
        {"data": np.zeros((1,) * 5)},
        {"data": 1j},
    ):
        scipy.io.savemat(path, content)
        with pytest.raises(DeepLabError, match="a.mat: .*'data'"):
            read_mat(path)
    with pytest.raises(DeepLabError, match="No such file"):
        read_mat(tmp_path / "b.mat")
    with pytest.raises(DeepLabError, match="5 dimensions"):
        write_mat(path, np.zeros((1,) * 5))


@pytest.mark.slow
def test_broken_files(tmp_path):
    path = tmp_path / "a.mat"
    write_mat(path, BLOB[:1, :1])
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DeepLabError, match="a.mat"):
            read_mat(path)
    chance = random.Random(0)
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(116, 192)] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            read_mat(path)
        except DeepLabError as error:
            assert "\n" not in str(error)
