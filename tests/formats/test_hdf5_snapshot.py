import random

import h5py
import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.hdf5_snapshot import write_hdf5_model, write_hdf5_state
from deeplab_caffe.formats.records import LayerBlobs, SolverState
from deeplab_caffe.formats.solverstate import read_solverstate
from deeplab_caffe.formats.weights import read_layers

LAYERS = [
    LayerBlobs(
        "conv", "Convolution", [torch.arange(12.0).view(2, 6), *(torch.ones(2) * i for i in range(10))]
    ),
    LayerBlobs("relu", "ReLU"),
    LayerBlobs("branch/score", "Convolution", [torch.zeros(3)]),
]
STATE = SolverState(7, "out/x_iter_7.caffemodel.h5", [torch.ones(1, 2), torch.arange(11.0)] * 6, 3)


def test_weights(tmp_path):
    path = tmp_path / "a.caffemodel.h5"
    write_hdf5_model(path, LAYERS)
    found = {layer.name: layer.blobs for layer in read_layers(path)}
    assert found.keys() == {"conv", "branch/score"}
    for layer in LAYERS[::2]:
        assert all(torch.equal(a, b) for a, b in zip(found[layer.name], layer.blobs, strict=True))
    with h5py.File(path) as file:
        assert file["data/conv/0"].shape == (2, 6) and file["data/conv/0"].dtype == np.float32
    assert [p.name for p in tmp_path.iterdir()] == ["a.caffemodel.h5"]


def test_state(tmp_path):
    path = tmp_path / "a.solverstate.h5"
    write_hdf5_state(path, STATE)
    again = read_solverstate(path)
    assert (again.iteration, again.learned_net, again.current_step) == (7, STATE.learned_net, 3)
    assert all(torch.equal(a, b) for a, b in zip(again.history, STATE.history, strict=True))
    with h5py.File(path) as file:
        assert (file["iter"].shape, file["iter"][0], len(file["history"])) == ((1,), 7, 12)


def test_what_is_no_snapshot(tmp_path):
    path = tmp_path / "x.h5"

    def write(**items):
        with h5py.File(path, "w") as file:
            for name, value in items.items():
                file[name.replace("_", "/")] = value

    def error(reader, match):
        with pytest.raises(DeepLabError, match=f"x.h5: .*{match}") as caught:
            reader(path)
        assert "\n" not in str(caught.value)

    write(other=1)
    error(read_layers, "no group 'data'")
    error(read_solverstate, "no iter")
    write(data_conv_0=[b"text"])
    error(read_layers, "floats wanted")
    write(iter=-1)
    error(read_solverstate, "no iter")
    write(iter=[3], history_1=[1.0])
    error(read_solverstate, "no current_step")
    with h5py.File(path, "w") as file:
        file.create_dataset("data/conv/0", (1 << 20, 1 << 20), np.float32, chunks=(1, 1024))
    error(read_layers, "GB of memory wanted; a file of .* may take 200 MB")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    error(read_layers, "not a whole HDF5 file")
    error(read_solverstate, "not a whole HDF5 file")


def test_broken_files(tmp_path):
    path = tmp_path / "x.h5"
    write_hdf5_state(path, STATE)
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(200):
        broken = bytearray(whole[: chance.randrange(8, len(whole))])
        for _ in range(chance.randint(0, 4)):
            broken[chance.randrange(8, len(broken)) if len(broken) > 8 else 0] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            read_solverstate(path)
        except DeepLabError as error:
            assert "\n" not in str(error)
