"""Weights in any format, by what the file holds; files of other programs and of none."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import weights
from deeplab_caffe.formats.caffemodel import write_caffemodel
from deeplab_caffe.formats.hdf5_snapshot import write_hdf5_model
from deeplab_caffe.formats.records import LayerBlobs
from deeplab_caffe.formats.registry import ARRAYS, LAYERS

GOLDEN = Path(__file__).parents[1] / "golden" / "tf"
LAYER = LayerBlobs("conv", "Convolution", [torch.arange(3.0)])


@pytest.mark.parametrize("write", [write_caffemodel, write_hdf5_model])
@pytest.mark.parametrize("name", ["x.caffemodel", "x.caffemodel.h5", "x"])
def test_layers_by_contents(tmp_path, write, name):
    write(tmp_path / name, [LAYER])
    (layer,) = weights.read_layers(tmp_path / name)
    assert layer.name == "conv" and torch.equal(layer.blobs[0], LAYER.blobs[0])


def saved(save, values):
    file = io.BytesIO()
    save(values, file)
    return file.getvalue()


STATE = saved(torch.save, {"a": torch.ones(1)})
ARCHIVE = saved(lambda values, file: np.savez(file, **values), {"a": np.ones(1)})


@pytest.mark.parametrize(
    "name, content, among, expected",
    [
        ("x.pth", STATE, (), "PyTorch state dict"),
        ("x.npz", ARCHIVE, (), "NumPy arrays"),
        ("x", STATE, ("PyTorch state dict", "safetensors"), "PyTorch state dict"),
        ("x", b"\x05\0\0\0\0\0\0\0{}   ", (), "safetensors"),
    ],
)
def test_arrays(tmp_path, name, content, among, expected):
    (tmp_path / name).write_bytes(content)
    assert weights.find_arrays(tmp_path / name, among).name == expected


@pytest.mark.parametrize("end", ["", ".index", ".data-00000-of-00002"])
def test_checkpoints_go_by_many_names(end):
    assert weights.find_arrays(GOLDEN / f"sharded.ckpt{end}").name == "TensorFlow checkpoint"
    assert weights.find_arrays(GOLDEN).name == "TensorFlow checkpoint"
    assert weights.find_arrays(GOLDEN / "frozen.pb").name == "TensorFlow graph"


def test_weights_of_keras(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(
        DeepLabError, match="x.h5: HDF5: weights of Keras are not read; convert .* to .tflite"
    ):
        weights.find_arrays(tmp_path / "x.h5")
    with pytest.raises(DeepLabError, match="No such file"):
        weights.find_arrays(tmp_path / "none.h5").read(tmp_path / "none.h5")


@pytest.mark.parametrize("name", ["x.caffemodel", "x.caffemodel.h5"])
def test_weights_of_caffes_are_no_others(tmp_path, name):
    LAYERS.find(name).write(tmp_path / name, [LAYER])
    with pytest.raises(DeepLabError, match="weights of Caffe's already, as --weights takes them"):
        weights.find_arrays(tmp_path / name)


def test_what_is_no_weights_of_caffes(tmp_path):
    def error(name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DeepLabError) as caught:
            weights.read_layers(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)
        return str(caught.value)

    assert "HDF5" in error("x.caffemodel", b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert "the file is empty" in error("x.caffemodel", b"")
    assert "PyTorch state dict; the verb convert" in error("x.pth", STATE)
    assert "looked for HDF5 (.h5), caffemodel (.caffemodel)" in error("x", b"text")
    with pytest.raises(DeepLabError, match="No such file"):
        weights.read_layers(tmp_path / "none.caffemodel")


def test_each_file_that_registers_a_format_is_found():
    assert {"caffemodel", "HDF5"} <= LAYERS.formats.keys()
    assert {"NumPy arrays", "PyTorch state dict", "TensorFlow graph", "safetensors"} <= ARRAYS.formats.keys()
