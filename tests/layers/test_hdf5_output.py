import h5py
import numpy as np


def output_layer(path):
    return f"""input: "a" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1
      input: "b" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1
      layer {{ name: "o" type: "HDF5Output" bottom: "a" bottom: "b"
      hdf5_output_param {{ file_name: "{path}" }} }}"""


def test_output_is_what_data_reads(tmp_path, run_layer):
    path = tmp_path / "sub" / "out.h5"
    for _ in range(2):  # a new run replaces the file
        layer = run_layer(output_layer(path))
        for k in range(3):
            layer(np.full((2, 3, 1, 1), k), np.full((2, 1), k + 0.5))
    with h5py.File(path) as file:
        assert file["data"].shape == (6, 3, 1, 1)
        assert file["label"][:, 0].tolist() == [0.5, 0.5, 1.5, 1.5, 2.5, 2.5]
    assert [p.name for p in path.parent.iterdir()] == ["out.h5"]
