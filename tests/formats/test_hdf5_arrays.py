import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.hdf5_arrays import read_hdf5_arrays


def test_arrays_come_by_their_path(tmp_path):
    path = tmp_path / "blobs.h5"
    values = np.arange(6, dtype=np.float64).reshape(2, 3) / 7
    with h5py.File(path, "w") as file:
        file["conv1"] = values
        file["net/fc8"] = np.arange(4, dtype=np.int16)
        file["text"] = "no numbers"
        file["nothing"] = h5py.Empty("f")
    arrays = read_hdf5_arrays(path)
    assert {name: array.shape for name, array in arrays.items()} == {"conv1": (2, 3), "net/fc8": (4,)}
    assert np.array_equal(arrays["conv1"].read(), values.astype(np.float32))
    assert arrays["net/fc8"].read().dtype == np.float32


def test_broken_files_are_one_line(tmp_path):
    path = tmp_path / "blobs.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DeepLabError, match="blobs.h5: not a whole HDF5 file"):
        read_hdf5_arrays(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("huge", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    with pytest.raises(DeepLabError, match="huge: .*GB of memory wanted; a file of"):
        read_hdf5_arrays(path)["huge"].read()
