"""The safetensors format, as its specification describes it."""

import json
import struct

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.safetensors import read_safetensors


def file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def item(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def read(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    return {name: array.read() for name, array in read_safetensors(path).items()}


def test_values(tmp_path):
    data = np.array([1, 2], "<f4").tobytes() + np.array([0x3F80, 0x4000], "<u2").tobytes()
    data += np.array(3, "<f8").tobytes() + np.array([[1, -2]], "<f2").tobytes()
    header = {
        "__metadata__": {"format": "pt"},
        "a": item("F32", [2], 0, 8),
        "b": item("BF16", [2, 1], 8, 12),
        "c": item("F64", [], 12, 20),
        "d": item("F16", [1, 2], 20, 24),
    }
    found = read(tmp_path, file(header, data))
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [1, 2],
        "b": [[1], [2]],
        "c": 3,
        "d": [[1, -2]],
    }
    assert all(array.dtype == np.float32 for array in found.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no header"),
        (struct.pack("<Q", 2**63) + b"{}", "no header of 9223372036854775808 bytes"),
        (file(b"{nonsense}"), "not JSON"),
        (file(b"[" * 100_000), "not JSON"),
        (file([]), "not an object"),
        (file({"a": 3}), "'a': dtype, shape or data_offsets"),
        (file({"a": item("F32", [-1], 0, 4)}, bytes(4)), "'a': dtype, shape or data_offsets"),
        (file({"a": item("F32", [True], 0, 4)}, bytes(4)), "'a': dtype, shape or data_offsets"),
        (file({"a": item("Q4", [1], 0, 4)}, bytes(4)), "'a': type 'Q4'"),
        (file({"a": item(["F32"], [1], 0, 4)}, bytes(4)), "'a': type"),
        (file({"a": item("F32", [2], 0, 4)}, bytes(4)), "8 wanted"),
        (file({"a": item("F32", [2], 0, 8)}, bytes(4)), "bytes 0 to 8 of 4"),
        (file({"a": item("F32", [10**18], 0, 4)}, bytes(4)), "wanted for shape"),
        (file({"a": item("F32", [10**30], 0, 4)}, bytes(4)), "'a': dtype, shape or data_offsets"),
    ],
)
def test_broken(tmp_path, data, message):
    with pytest.raises(DeepLabError, match=message) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)
