import hashlib
import json

import h5py
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.bin import write_bin
from deeplab_caffe.formats.mat import write_mat
from deeplab_caffe.validate.files import read_against
from deeplab_caffe.validate.theirs import fitted, mangled

X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


def only(catalog):
    (item,) = catalog.items
    return item


def test_dumps_by_name(tmp_path):
    np.save(tmp_path / "003_a_b__c.npy", X)
    np.save(tmp_path / "fc8.npy", X)
    catalog = read_against([tmp_path])
    assert np.array_equal(catalog.take([""], [mangled("a/b", "c")]).read(), X)
    assert catalog.take([""], ["fc8"]).shape == X.shape
    assert catalog.rest() == [] and catalog.take(["other"], ["fc8"]) is None


def test_archives(tmp_path):
    np.savez(tmp_path / "blobs.npz", **{"conv1": X, "inception/3a": X + 1})
    with h5py.File(tmp_path / "blobs.h5", "w") as file:
        file["net/fc8"] = X + 2
    catalog = read_against([tmp_path / "blobs.npz", tmp_path / "blobs.h5"])
    for name, wanted in (("conv1", X), ("inception_3a", X + 1), ("fc8", X + 2)):
        assert np.array_equal(catalog.take([""], [name]).read(), wanted)


def test_files_of_images(tmp_path):
    write_mat(tmp_path / "a_blob_0.mat", X)
    write_bin(tmp_path / "b.bin", np.ascontiguousarray(X[0].transpose(1, 2, 0)))
    write_bin(tmp_path / "c.bin", np.arange(12, dtype=np.int16).reshape(3, 4))
    Image.fromarray(np.eye(3, dtype=np.uint8)).save(tmp_path / "d.png")
    catalog = read_against([tmp_path])
    assert np.array_equal(catalog.take([""], ["a_blob_0"], ["scores"]).read(), X)
    assert np.array_equal(catalog.take([""], ["b"], ["scores"]).read(), X)
    assert np.array_equal(catalog.take([""], ["c"], ["labels"]).read(), np.arange(12).reshape(3, 4))
    assert np.array_equal(catalog.take([""], ["d"], ["labels"]).read(), np.eye(3))
    assert catalog.take([""], ["d"], ["scores"]) is None


def test_records(tmp_path):
    np.save(tmp_path / "one.npy", X)
    records = [
        {"layer": "a/b", "blob": "c", "shape": [1, 2, 3, 4], "sha256": "00", "file": "one.npy"},
        {"layer": "d", "blob": "d", "shape": [2], "sha256": hashlib.sha256(X.tobytes()).hexdigest()},
    ]
    (tmp_path / "forward.json").write_text(json.dumps({"layers": records}))
    (tmp_path / "package.json").write_text("{}")
    catalog = read_against([tmp_path])
    assert len(catalog.items) == 2  # one.npy counts once
    assert np.array_equal(catalog.take([""], ["a_b__c"]).read(), X)
    hashed = catalog.take([""], ["d__d"])
    assert hashed.read is None and hashed.shape == (2,) and len(hashed.sha256) == 64


def test_folders_of_passes(tmp_path):
    for number in range(2):
        (tmp_path / f"{number:06d}").mkdir()
        np.save(tmp_path / f"{number:06d}" / "000_a__a.npy", X + number)
    catalog = read_against([tmp_path])
    assert catalog.take(["000001"], ["a__a"]).read()[0, 0, 0, 0] == 1


@pytest.mark.parametrize("h5", [False, True])
def test_weights(small, h5, tmp_path):
    path = small.weights
    if h5:
        path = tmp_path / "weights.h5"
        from deeplab_caffe.engine.weights import save_weights

        save_weights(path, small.net().layers, "hdf5")
    catalog = read_against([path])
    item = catalog.take([""], ["sub/fc8/0"], ["parameter"])
    assert np.array_equal(item.read(), small.net().params["sub/fc8"][0].values().numpy())


def test_errors(tmp_path):
    with pytest.raises(DeepLabError, match="nowhere: no such file or folder"):
        read_against([tmp_path / "nowhere"])
    with pytest.raises(DeepLabError, match="nothing in it to compare with; looked for .npy"):
        read_against([tmp_path])
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DeepLabError, match="x.txt: a file of no known kind"):
        read_against([tmp_path / "x.txt"])
    (tmp_path / "forward.json").write_text("{")
    with pytest.raises(DeepLabError, match="forward.json: no JSON"):
        read_against([tmp_path / "forward.json"])
    (tmp_path / "forward.json").write_text(
        '{"layers": [{"layer": "a", "blob": "a", "shape": 3, "sha256": ""}]}'
    )
    with pytest.raises(
        DeepLabError, match=r"forward.json: layers\[0\]: layer, blob, shape and sha256 wanted"
    ):
        read_against([tmp_path / "forward.json"])
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DeepLabError, match="x.npy: no .npy file"):
        read_against([tmp_path / "x.npy"])
    (tmp_path / "x.bin").write_bytes(b"12")
    with pytest.raises(DeepLabError, match="x.bin: 2 bytes"):
        only(read_against([tmp_path / "x.bin"])).read()


def test_axes_of_one_come_and_go():
    assert fitted(X[0], X.shape).shape == X.shape
    assert fitted(np.zeros((2, 5, 1, 1)), (2, 5)).shape == (2, 5)
    assert fitted(X, (1, 2, 4, 3)).shape == X.shape
