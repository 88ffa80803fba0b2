"""HDF5 data sets that point elsewhere, promise too much, or have names that are no text."""

import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.hdf5 import is_numeric, is_set, member, open_hdf5, read_set, sets_in
from deeplab_caffe.formats.hdf5_arrays import read_hdf5_arrays


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3.0)
    with h5py.File(path, "w") as file:
        file["group/x"] = np.arange(6.0).reshape(2, 3)
        file["text"] = b"text"
        file["link"] = h5py.ExternalLink("other.h5", "x")
        file["soft"] = h5py.SoftLink("/group/x")
        file.create_dataset("outside", (3,), "f4", external=[(str(tmp_path / "raw"), 0, 12)])
        layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape=(3,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("chunk", (4,), "f4", chunks=(1 << 28,), maxshape=(None,), compression="gzip")
    return path


def test_members(path):
    with open_hdf5(path) as file:
        assert (read_set(member(file, "group/x"), path) == [[0, 1, 2], [3, 4, 5]]).all()
        assert is_set(member(file, "text")) and not is_numeric(member(file, "text"))
        assert not is_set(member(file, "group"))
        # Links could lead into files that are nobody's business, or pipes that hang.
        assert [member(file, name) for name in ("link", "soft", "none", "group/none", "text/x")] == [None] * 5


@pytest.mark.parametrize(
    "name, reason",
    [("outside", "other files"), ("virtual", "other files"), ("chunk", "GB of memory wanted")],
)
def test_sets_that_are_not_read(path, name, reason):
    with pytest.raises(DeepLabError, match=f"a.h5: /{name}: .*{reason}"), open_hdf5(path) as file:
        read_set(member(file, name), path)


def test_all_sets(path):
    with open_hdf5(path) as file:
        assert list(sets_in(file, 5)) == ["chunk", "group/x", "outside", "text", "virtual"]
    with pytest.raises(DeepLabError, match="more than 4 arrays"), open_hdf5(path) as file:
        sets_in(file, 4)
    assert (read_hdf5_arrays(path)["group/x"].read()[1] == [3, 4, 5]).all()


def test_names_that_are_no_text(path):
    with h5py.File(path, "a") as file:
        file[b"\xff"] = np.ones(2)
    with pytest.raises(DeepLabError, match="a name in it is no UTF-8"):
        read_hdf5_arrays(path)


def test_what_h5py_raises_becomes_one_line(path):
    with pytest.raises(DeepLabError, match="a.h5: not a whole HDF5 file: .*nothing"), open_hdf5(path) as file:
        _ = file["nothing"]
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        try:
            for array in read_hdf5_arrays(path).values():
                array.read()
        except DeepLabError as error:
            assert "a.h5: " in str(error)
