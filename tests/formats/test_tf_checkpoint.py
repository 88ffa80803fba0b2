"""Checkpoints that TensorFlow wrote (golden/tf: convert/write_tensorflow.py), whole and damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import tf_checkpoint
from deeplab_caffe.formats.npz import read_npz
from deeplab_caffe.formats.tf_checkpoint import read_checkpoint

GOLDEN = Path(__file__).parents[1] / "golden" / "tf"
PREFIX = "sharded.ckpt"
FILES = [f"{PREFIX}.index", f"{PREFIX}.data-00000-of-00002", f"{PREFIX}.data-00001-of-00002"]
PARTED = "parted"  # the variable that is saved in slices


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        shutil.copy(GOLDEN / name, tmp_path)
    return tmp_path


def values(path):
    return {name: array.read() for name, array in read_checkpoint(path).items() if name != PARTED}


def error(path):
    with pytest.raises(DeepLabError) as caught:
        values(path)
    assert "\n" not in str(caught.value) and PREFIX in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", ["", PREFIX, *FILES])
def test_values(folder, path):
    found = values(folder / path)
    wanted = {name: array.read() for name, array in read_npz(GOLDEN / "values.npz").items()}
    assert found.pop("global_step") == np.float32(2**40 + 1)
    assert found.keys() == wanted.keys()  # not the strings
    for name, array in wanted.items():
        assert found[name].dtype == np.float32 and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes(), name


def test_shapes_before_values(folder):
    found = read_checkpoint(folder)
    assert found["net/conv1/weights"].shape == (3, 3, 2, 4)
    assert found["scalar"].shape == () and found["empty"].shape == (0, 3)


def test_slices(folder):
    array = read_checkpoint(folder)[PARTED]
    assert array.shape == (6,)
    with pytest.raises(DeepLabError, match="'parted' is saved in slices"):
        array.read()


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere(folder, name):
    whole = (folder / name).read_bytes()
    for size in range(len(whole)):
        (folder / name).write_bytes(whole[:size])
        error(folder / PREFIX)
    (folder / name).write_bytes(whole)
    values(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_never_goes_unseen(folder, name):
    """A wrong checksum, or bytes that nothing refers to (unused handle, padding): the same values then."""
    whole = (folder / name).read_bytes()
    wanted = {key: array.tobytes() for key, array in values(folder).items()}
    for at in range(len(whole)):
        for bit in (1, 128):
            (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            try:
                found = values(folder)
            except DeepLabError as caught:
                assert "\n" not in str(caught)
            else:
                assert {key: array.tobytes() for key, array in found.items()} == wanted


def test_missing_files(folder, tmp_path):
    (folder / FILES[2]).unlink()
    assert f"{FILES[2]}: No such file" in error(folder)
    (folder / FILES[0]).unlink()
    assert "No such file" in error(folder / PREFIX)
    with pytest.raises(DeepLabError, match="one checkpoint wanted, 0 in this folder: none"):
        read_checkpoint(folder)
    (folder / PREFIX).write_bytes(b"x")
    assert "not a version 2 checkpoint" in error(folder / PREFIX)


def test_two_checkpoints_in_a_folder(folder):
    shutil.copy(folder / FILES[0], folder / "other.index")
    with pytest.raises(DeepLabError, match=r"2 in this folder: other\.index, sharded\.ckpt\.index"):
        read_checkpoint(folder)


def test_a_saved_model(folder, tmp_path):
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"")
    for name in FILES:
        shutil.copy(folder / name, model / "variables" / name.replace(PREFIX, "variables"))
    for path in (model, model / "saved_model.pb"):
        assert values(path).keys() == values(folder).keys()
    (model / "variables" / "variables.index").unlink()
    with pytest.raises(DeepLabError, match="model/variables: no variables in this SavedModel"):
        read_checkpoint(model)


def test_names_of_tensorflow_2(folder, monkeypatch):
    """They tell objects, from which no net is known."""
    table = tf_checkpoint.read_table((folder / FILES[0]).read_bytes())
    renamed = {
        key + b"/.ATTRIBUTES/VARIABLE_VALUE" if key[:1] > b"\0" else key: v for key, v in table.items()
    }
    monkeypatch.setattr(tf_checkpoint, "read_table", lambda data: renamed)
    assert "named after TensorFlow 2's (Keras's) objects" in error(folder)
