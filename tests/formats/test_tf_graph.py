"""Frozen graphs: one that TensorFlow wrote (golden/tf), and its kinds of values written by hand."""

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import tf_graph
from deeplab_caffe.formats.npz import read_npz
from deeplab_caffe.formats.tf_graph import read_graph
from deeplab_caffe.formats.wire import bytes_field, number_field, varint

GOLDEN = Path(__file__).parents[1] / "golden" / "tf"
FLOAT, DOUBLE, INT32, BFLOAT16, HALF = 1, 2, 3, 14, 19


def shape(*sizes):
    return bytes_field(2, b"".join(bytes_field(2, number_field(1, n) if n else b"") for n in sizes))


def node(name, tensor, op=b"Const"):
    attribute = bytes_field(1, b"value") + bytes_field(2, bytes_field(8, tensor))
    return bytes_field(1, bytes_field(1, name) + bytes_field(2, op) + bytes_field(5, attribute))


def read(tmp_path, data):
    path = tmp_path / "x.pb"
    path.write_bytes(data)
    return {name: array.read() for name, array in read_graph(path).items()}


def error(tmp_path, data):
    with pytest.raises(DeepLabError, match=r"x\.pb: ") as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_golden():
    found = {name: array.read() for name, array in read_graph(GOLDEN / "frozen.pb").items()}
    for name, array in read_npz(GOLDEN / "values.npz").items():
        assert found[name].shape == array.shape and found[name].tobytes() == array.read().tobytes()
    assert found["splat"].tolist() == [[7.0] * 3] * 2 and found["half"] == 0.25
    assert "whole_numbers" not in found


@pytest.mark.parametrize(
    ("tensor", "wanted"),
    [
        (number_field(1, FLOAT) + shape(2) + bytes_field(4, struct.pack("<2f", 1, 2)), [1, 2]),
        (number_field(1, FLOAT) + shape(2) + bytes_field(5, struct.pack("<2f", 1, 2)), [1, 2]),
        (number_field(1, FLOAT) + shape(2) + (b"\x2d" + struct.pack("<f", 3)) * 2, [3, 3]),
        (number_field(1, FLOAT) + shape(3) + bytes_field(5, struct.pack("<2f", 1, 2)), [1, 2, 2]),
        (number_field(1, FLOAT) + shape(2), [0, 0]),
        (number_field(1, FLOAT) + shape(0), []),
        (number_field(1, DOUBLE) + shape(2) + bytes_field(6, struct.pack("<2d", 1, 2)), [1, 2]),
        (number_field(1, HALF) + shape(2) + bytes_field(13, varint(0x3C00) + varint(0xC000)), [1, -2]),
        (number_field(1, BFLOAT16) + shape(2) + number_field(13, 0x3F80) + number_field(13, 0x4000), [1, 2]),
    ],
)
def test_kinds_of_values(tmp_path, tensor, wanted):
    found = read(tmp_path, node(b"x", tensor))["x"]
    assert found.dtype == np.float32 and found.tolist() == wanted


ONE = number_field(1, FLOAT) + shape(2) + bytes_field(4, bytes(8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\x00\x01", "not a whole TensorFlow graph"),
        (node(b"x", ONE, op=b"Identity"), "not a frozen graph"),
        (node(b"x", ONE)[:-1], "needs 1 bytes more"),
        (node(b"x", ONE) + b"\x0a\x7f", "after node 'x'"),
        (
            node(b"x", number_field(1, FLOAT) + shape(3) + bytes_field(4, bytes(8))),
            "node 'x': 8 bytes, 12 wanted",
        ),
        (node(b"x", number_field(1, FLOAT) + shape(1) + bytes_field(5, bytes(8))), "2 values for shape"),
        (node(b"x", number_field(1, FLOAT) + shape(2) + bytes_field(5, bytes(7))), "7 bytes of 4-byte"),
        (node(b"x", number_field(1, FLOAT) + shape(-1)), "a dimension that is not known"),
        (node(b"x", number_field(1, FLOAT) + shape(2**39, 2**39)), "node 'x': .* is too large"),
        (node(b"x" * 5000, ONE), "a name of 5000 bytes"),
    ],
)
def test_broken(tmp_path, data, message):
    import re

    assert re.search(message, error(tmp_path, data))


def test_limit_of_pieces(tmp_path):
    tensor = number_field(1, FLOAT) + shape(2000) + b"\x2d\0\0\0\0" * 1001
    assert "more than 1000 pieces" in error(tmp_path, node(b"x", tensor))


def test_limit_of_fields(tmp_path, monkeypatch):
    monkeypatch.setattr(tf_graph, "_MAX_FIELDS", 1000)
    assert "more than 1000 fields" in error(tmp_path, b"\x10\x00" * 1001)


@pytest.mark.slow
def test_cut_off_or_changed(tmp_path):
    """A graph has no checksums: an error of one line, or arrays no larger than the file allows."""
    whole = (GOLDEN / "frozen.pb").read_bytes()
    draw = random.Random(1)
    damaged = [whole[:size] for size in range(0, len(whole), 7)]
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3, 20))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        damaged.append(bytes(data))
    path = tmp_path / "x.pb"
    for data in damaged:
        path.write_bytes(data)
        try:
            arrays = read_graph(path)
            for array in arrays.values():
                if np.prod(array.shape, dtype=float) < 1e5:
                    array.read()
        except DeepLabError as caught:
            assert "\n" not in str(caught)
