"""Weights: layouts, agreement with protobuf's own reader and writer, hostile files."""

import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2, caffemodel, wire
from deeplab_caffe.formats.caffemodel import read_caffemodel, read_name, write_caffemodel
from deeplab_caffe.formats.file_blob import FileBlob
from deeplab_caffe.formats.records import LayerBlobs

SHARED = Path(__file__).parents[2] / "../shared"
FILES = sorted(SHARED.glob("reference/nets/v?_layers/*.caffemodel"))
FILES += sorted(SHARED.glob("reference/training/*.caffemodel")) + sorted(SHARED.glob("models/*/*.caffemodel"))


def values(*shape):
    return torch.arange(np.prod(shape, dtype=int), dtype=torch.float32).reshape(shape) / 3


LAYERS = [
    LayerBlobs("conv1", "Convolution", [values(2, 3, 2, 2), values(2)]),
    LayerBlobs("relu1", "ReLU", []),
    LayerBlobs("data", "ImageSegData", []),
    LayerBlobs("up", "Deconvolution", [values(2, 1, 4, 4)]),
    LayerBlobs("ip", "InnerProduct", [values(3, 5), values(3)]),
]


def same(given, wanted):
    assert [(x.name, x.type, len(x.blobs)) for x in given] == [(x.name, x.type, len(x.blobs)) for x in wanted]
    for a, b in zip(given, wanted, strict=True):
        for x, y in zip(a.blobs, b.blobs, strict=True):
            assert x.dtype == torch.float32 and x.shape == y.shape
            assert x.numpy().tobytes() == y.numpy().tobytes()


def read(tmp_path, message):
    """Reads a protobuf message, or bytes, as a file."""
    path = tmp_path / "x.caffemodel"
    path.write_bytes(message if isinstance(message, bytes) else message.SerializeToString())
    return read_caffemodel(path)


def error(tmp_path, message):
    with pytest.raises(DeepLabError, match=r"x\.caffemodel: ") as caught:
        read(tmp_path, message)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_protobuf(path):
    """The same file through protobuf: (name, [(shape, float32 bytes)]) of each layer."""
    net = caffe_pb2.NetParameter.FromString(path.read_bytes())
    result = []
    for layer in list(net.layers) + list(net.layer):
        blobs = []
        for b in layer.blobs:
            shape = tuple(b.shape.dim) if b.HasField("shape") else (b.num, b.channels, b.height, b.width)
            blobs.append((shape, np.array(b.data, "<f4").tobytes()))
        result.append((layer.name, blobs))
    return result


@pytest.mark.skipif(not FILES, reason="needs the reference files")
def test_the_name_of_the_net(tmp_path):
    for name in ("LargeFOV", ""):
        write_caffemodel(tmp_path / "a", [LayerBlobs("c", "Convolution", [torch.ones(2)])], name=name)
        assert read_name(tmp_path / "a") == name
    with pytest.raises(DeepLabError, match="none: No such file"):
        read_name(tmp_path / "none")


def test_old_shapes_in_new_records(tmp_path):
    """A bias of four axes is written as Caffe's own tool leaves it: num, channels, height, width."""
    blobs = [torch.arange(3.0).view(1, 1, 1, 3), torch.arange(2.0)]
    write_caffemodel(tmp_path / "a", [LayerBlobs("c", "Convolution", blobs)], old_shapes=True)
    (layer,) = caffe_pb2.NetParameter.FromString((tmp_path / "a").read_bytes()).layer
    assert [layer.blobs[0].HasField(name) for name in ("num", "width", "shape")] == [True, True, False]
    assert layer.blobs[0].width == 3 and list(layer.blobs[1].shape.dim) == [2]


def test_files_of_the_original():
    for path in FILES:
        layers = read_caffemodel(path)
        assert [
            (x.name, [(tuple(b.shape), b.numpy().tobytes()) for b in x.blobs]) for x in layers
        ] == with_protobuf(path)
        if "training" in path.parts:
            # The original wrote all its layers, with types (39 is ImageSegData or Deconvolution).
            assert {"Convolution", "ReLU"} <= {x.type for x in layers}


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_round_trip(tmp_path, layout):
    path = tmp_path / "a.caffemodel"
    write_caffemodel(path, LAYERS, layout, name="net")
    wanted = LAYERS
    if layout == "v1":
        four = [[b.reshape((1,) * (4 - b.dim()) + b.shape) for b in x.blobs] for x in LAYERS]
        wanted = [LayerBlobs(x.name, x.type, blobs) for x, blobs in zip(LAYERS, four, strict=True)]
    same(read_caffemodel(path), wanted)
    assert [
        (x.name, [(tuple(b.shape), b.numpy().tobytes()) for b in x.blobs]) for x in wanted
    ] == with_protobuf(path)
    net = caffe_pb2.NetParameter.FromString(path.read_bytes())
    assert net.name == "net"
    types = {x.type for x in net.layer} if layout == "v2" else {x.type for x in net.layers}
    assert types == ({x.type for x in LAYERS} if layout == "v2" else {4, 18, 39, 14})
    assert [p.name for p in tmp_path.iterdir()] == ["a.caffemodel"]


def test_scalars_and_strided_tensors(tmp_path):
    path = tmp_path / "a.caffemodel"
    blobs = [torch.tensor(3.0), values(4, 3).T, values(2, 2).double(), torch.empty(0, 3)]
    write_caffemodel(path, [LayerBlobs("x", "X", blobs)])
    same(read_caffemodel(path), [LayerBlobs("x", "X", [b.float() for b in blobs])])


def test_ways_to_write_values(tmp_path):
    net = caffe_pb2.NetParameter()
    blobs = net.layer.add(name="x", type="Y").blobs
    blobs.add(double_data=[1, 2.5, 1e-3]).shape.dim[:] = [3]
    blobs.add(data=[7], diff=[1, 2, 3]).shape.dim[:] = []
    blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    one, two, three = read(tmp_path, net)[0].blobs
    assert one.tolist() == [1, 2.5, np.float32(1e-3)]
    assert (three.shape, three.tolist(), two.tolist()) == ((1, 1, 1, 2), [[[[1, 2]]]], 7)

    def blob(payload):
        return read(tmp_path, wire.bytes_field(100, wire.bytes_field(7, payload)))[0].blobs[0].tolist()

    numbers = np.arange(70_000, dtype="<f4")
    shape = wire.number_field(1, 1) + wire.number_field(2, 1) + wire.number_field(3, 1)
    unpacked = b"".join(b"\x2d" + struct.pack("<f", x) for x in numbers)
    assert blob(shape + unpacked + wire.number_field(4, len(numbers)))[0][0][0] == numbers.tolist()
    assert blob(shape + unpacked[:10] + wire.number_field(4, 4) + wire.bytes_field(5, bytes(8)))[0][0][0] == [
        0,
        1,
        0,
        0,
    ]
    assert blob(shape + b"\x41" + struct.pack("<d", 0.5) + wire.number_field(4, 1)) == [[[[0.5]]]]
    overlong = b"\xad\x00" + struct.pack("<f", 3) + unpacked[:5]
    assert blob(shape + overlong + wire.number_field(4, 2)) == [[[[3, 0]]]]
    # Dimensions one by one, and a shape in two parts.
    dims = wire.bytes_field(7, wire.number_field(1, 2)) + wire.bytes_field(7, wire.number_field(1, 1))
    assert blob(dims + wire.bytes_field(5, bytes(8))) == [[0], [0]]


def test_blobs_left_in_the_file(tmp_path):
    path = tmp_path / "x.caffemodel"
    wanted = [LayerBlobs("x", "X", [values(9, 512), values(4095), values(2, 2048)])]
    write_caffemodel(path, wanted)
    (layer,) = read_caffemodel(path, in_file=True)
    large, small, other = layer.blobs
    assert isinstance(large, FileBlob) and isinstance(other, FileBlob) and torch.is_tensor(small)
    assert large.shape == (9, 512) and large.reshape((512, 9)).read().shape == (512, 9)
    path.unlink()
    same([LayerBlobs("x", "X", [large.read(), small, other.read()])], wanted)
    copy = tmp_path / "copy.caffemodel"
    write_caffemodel(copy, [layer])
    same(read_caffemodel(copy), wanted)


def test_blobs_that_cannot_be_left_in_the_file(tmp_path):
    net = caffe_pb2.NetParameter()
    blobs = net.layer.add(name="x", type="Y").blobs
    numbers = np.arange(5000, dtype="<f4")
    blobs.add(double_data=numbers, data=numbers).shape.dim[:] = [5000]  # as Caffe, the doubles count
    payload = net.SerializeToString()
    dims = wire.bytes_field(7, wire.number_field(1, 5000))
    pieces = wire.bytes_field(5, numbers[:10].tobytes()) + wire.bytes_field(5, numbers[10:].tobytes())
    unpacked = b"".join(b"\x2d" + struct.pack("<f", x) for x in numbers)
    for blob in (dims + pieces, dims + unpacked):
        payload += wire.bytes_field(100, wire.bytes_field(7, blob))
    path = tmp_path / "x.caffemodel"
    path.write_bytes(payload)
    for layer in read_caffemodel(path, in_file=True):
        (blob,) = layer.blobs
        assert torch.is_tensor(blob) and blob.tolist() == numbers.tolist()
    path.write_bytes(payload[:-3])
    with pytest.raises(DeepLabError, match="not a whole caffemodel"):
        read_caffemodel(path, in_file=True)
    with pytest.raises(DeepLabError, match="no.caffemodel: No such file"):
        read_caffemodel(tmp_path / "no.caffemodel", in_file=True)


def test_v0_records(tmp_path):
    net = caffe_pb2.NetParameter()
    layer = net.layers.add(bottom=["data"], top=["conv1"]).layer
    layer.name, layer.type = "conv1", "conv"
    layer.blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    same(read(tmp_path, net), [LayerBlobs("conv1", "Convolution", [torch.tensor([[[[1.0, 2.0]]]])])])


def test_the_file_may_go_afterwards(tmp_path):
    path = tmp_path / "a.caffemodel"
    write_caffemodel(path, LAYERS)
    layers = read_caffemodel(path)
    path.write_bytes(b"")
    same(layers, LAYERS)
    assert all(b.data_ptr() % 16 == 0 for x in layers for b in x.blobs)


def test_wrong_shapes(tmp_path):
    def net(**fields):
        message = caffe_pb2.NetParameter()
        dims = fields.pop("dims", None)
        blob = message.layer.add(name="conv1", type="Convolution").blobs.add(**fields)
        if dims is not None:
            blob.shape.dim[:] = dims
        return message

    where = "layer 'conv1', blob 0: "
    assert where + "its shape (2, 3) means 6 values, but it holds 5" in error(
        tmp_path, net(dims=[2, 3], data=[0] * 5)
    )
    assert "negative dimension" in error(tmp_path, net(dims=[-1, -1], data=[0]))
    assert "negative dimension" in error(tmp_path, net(num=-2, channels=-2, height=1, width=1, data=[0] * 4))
    assert "more than 2^31" in error(tmp_path, net(dims=[2**31, 2**31, 2**31], data=[0]))
    assert "more than 2^31" in error(tmp_path, net(dims=[2**63 - 1], data=[0]))
    assert "means 1000000000 values, but it holds 1" in error(tmp_path, net(dims=[10**9], data=[0]))
    assert "more than 32 axes" in error(tmp_path, net(dims=[1] * 33, data=[0]))
    assert "holds 0" in error(tmp_path, net(num=1, channels=2, height=1, width=1))
    assert "holds 0" in error(tmp_path, net())


def test_what_is_no_caffemodel(tmp_path):
    assert "empty" in error(tmp_path, b"")
    assert "no layers" in error(tmp_path, caffe_pb2.NetParameter(name="only a name"))
    for content in (b"name: 'text'\nlayer { }\n", b"\x89PNG\r\n\x1a\n" + bytes(50), b"\xff" * 50, bytes(50)):
        error(tmp_path, content)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DeepLabError, match=str(path)):
            read_caffemodel(path)


def test_floods_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(caffemodel, "_MAX_LAYERS", 100)
    monkeypatch.setattr(caffemodel, "_MAX_BLOBS", 100)
    assert "more than 100 layers" in error(tmp_path, b"\x12\x00" * 101)
    assert "more than 100 blobs" in error(tmp_path, wire.bytes_field(100, b"\x3a\x00" * 101))
    pieces = wire.bytes_field(5, bytes(4)) * 1001
    assert "pieces" in error(tmp_path, wire.bytes_field(100, wire.bytes_field(7, pieces)))


@pytest.mark.slow
def test_broken_files(tmp_path):
    """Cut off anywhere, or with bytes changed, a file reads as something or gives its line."""
    for layout in ("v1", "v2"):
        write_caffemodel(tmp_path / "whole", LAYERS[:2], layout, name="net")
        whole = (tmp_path / "whole").read_bytes()
        ends = [len(whole) - 2 - len("relu1ReLU") - 4]
        for size in range(len(whole)):
            try:
                layers = read(tmp_path, whole[:size])
                # Only between two records is the rest a whole file.
                assert len(layers) == 1
                ends.append(size)
            except DeepLabError as caught:
                assert "x.caffemodel: " in str(caught) and "\n" not in str(caught)
        assert len(ends) == 2
        chance = random.Random(1)
        for _ in range(500):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            try:
                read(tmp_path, bytes(broken))
            except DeepLabError as caught:
                assert "\n" not in str(caught)


def test_writing_what_cannot_be(tmp_path, monkeypatch):
    path = tmp_path / "a.caffemodel"
    with pytest.raises(DeepLabError, match="layer 'bn': type BatchNorm has no V1 number"):
        write_caffemodel(path, [LayerBlobs("bn", "BatchNorm", [])], "v1")
    with pytest.raises(DeepLabError, match="layer 'c', blob 0: 5 axes"):
        write_caffemodel(path, [LayerBlobs("c", "Convolution", [torch.zeros((1,) * 5)])], "v1")
    with pytest.raises(DeepLabError, match="layout 'v3'"):
        write_caffemodel(path, LAYERS, "v3")
    # 4 GB by view: refused before anything is written.
    with pytest.raises(DeepLabError, match="at most 2147483647"):
        monkeypatch.setattr(torch.Tensor, "contiguous", lambda x: x)
        write_caffemodel(path, [LayerBlobs("c", "Convolution", [torch.zeros(1).expand(2**30)])])
    assert list(tmp_path.iterdir()) == []
