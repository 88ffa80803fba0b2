import json

import numpy as np
import pytest
import torch

from deeplab_caffe.engine.weights import save_weights
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.validate.diff_weights import diff_weights


def test_the_same_in_any_format(small, tmp_path):
    net = small.net()
    save_weights(tmp_path / "w.h5", net.layers, "hdf5")
    save_weights(tmp_path / "v1.caffemodel", net.layers, "v1")
    for name in ("w.h5", "v1.caffemodel"):  # v1 has four axes for biases
        result = diff_weights(small.weights, tmp_path / name)
        assert result.same and [blob.name for blob in result.blobs] == [
            "conv1/0",
            "conv1/1",
            "sub/fc8/0",
            "sub/fc8/1",
        ]
    assert result.values == 6 * 27 + 6 + 4 * 54 + 4


def test_a_value(small, tmp_path):
    net = small.net()
    weights = net.params["conv1"][0].data
    weights[1, 2, 0, 1] = torch.nextafter(weights[1, 2, 0, 1], torch.tensor(9.0))
    net.save(tmp_path / "other.caffemodel")
    result = diff_weights(small.weights, tmp_path / "other.caffemodel")
    numbers = result.blobs[0].numbers
    assert not result.same and [blob.status for blob in result.blobs] == ["different"] + ["equal"] * 3
    assert (numbers.different, numbers.max_ulp, numbers.worst.index) == (1, 1, [1, 2, 0, 1])
    json.dumps(result.to_json(), allow_nan=False)


def test_arrays_of_other_programs(tmp_path):
    a = {"x": np.ones((2, 3), np.float32), "y": np.zeros(4, np.float32)}
    np.savez(tmp_path / "a.npz", **a)
    torch.save({"x": torch.ones(3, 2), "z": torch.zeros(1)}, tmp_path / "b.pth")
    result = diff_weights(tmp_path / "a.npz", tmp_path / "b.pth")
    assert [(b.name, b.status, b.first, b.second) for b in result.blobs] == [
        ("x", "shape", [2, 3], [3, 2]),
        ("y", "only in the first", [4], []),
        ("z", "only in the second", [], [1]),
    ]


def test_errors(small, tmp_path):
    with pytest.raises(DeepLabError, match="nowhere"):
        diff_weights(small.weights, tmp_path / "nowhere.caffemodel")
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    with pytest.raises(DeepLabError, match="no blob is in both; they have conv1/0, conv1/1"):
        diff_weights(small.weights, tmp_path / "a.npz")
    (tmp_path / "broken.caffemodel").write_bytes(b"abc")
    with pytest.raises(DeepLabError, match="broken.caffemodel"):
        diff_weights(small.weights, tmp_path / "broken.caffemodel")
