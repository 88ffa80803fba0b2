"""Tensors as BlobProtos, as protobuf reads them, and the other way round."""

import mmap

import pytest
import torch

from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.blob import Place, blob_message, find_blob, message_size, read_blob, write_pieces
from deeplab_caffe.formats.wire import WireError

VALUES = torch.arange(6.0).view(2, 3)


@pytest.fixture
def mapped(tmp_path):
    def make(content):
        (tmp_path / "blob").write_bytes(content)
        with open(tmp_path / "blob", "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    return make


def written(blob, tmp_path, four_axes):
    pieces = blob_message(blob, four_axes)
    with open(tmp_path / "out", "wb") as file:
        write_pieces(file, pieces)
    content = (tmp_path / "out").read_bytes()
    assert len(content) == message_size(pieces)
    return content


@pytest.mark.parametrize("four_axes", [False, True])
def test_protobuf_reads_what_is_written(tmp_path, mapped, four_axes):
    content = written(VALUES, tmp_path, four_axes)
    message = caffe_pb2.BlobProto.FromString(content)
    shape = (message.num, message.channels, message.height, message.width) if four_axes else message.shape.dim
    assert tuple(shape) == ((1, 1, 2, 3) if four_axes else (2, 3)) and list(message.data) == list(range(6))
    found = read_blob(mapped(content), 0, len(content))
    assert torch.equal(found, VALUES.view(tuple(shape)))


def test_doubles_and_single_values(mapped):
    doubles = caffe_pb2.BlobProto(double_data=[1, 2, 3, 4, 5, 6], shape={"dim": [6]}).SerializeToString()
    assert read_blob(mapped(doubles), 0, len(doubles)).tolist() == [1, 2, 3, 4, 5, 6]
    single = b"".join(b"\x2d" + value.numpy().tobytes() for value in torch.tensor([1.5, 2]))
    content = b"\x3a\x03\x0a\x01\x02" + single  # shape { dim: 2 }, two values with a tag each
    assert read_blob(mapped(content), 0, len(content)).tolist() == [1.5, 2]


def test_large_blobs_are_only_found(tmp_path, mapped):
    content = written(VALUES, tmp_path, False)
    assert find_blob(mapped(content), 0, len(content), 6) == Place(len(content) - 24, (2, 3))
    assert torch.equal(find_blob(mapped(content), 0, len(content), 7), VALUES)


def test_five_axes_do_not_fit_into_four():
    with pytest.raises(ValueError, match="5 axes; V1 has four"):
        blob_message(torch.zeros(1, 1, 1, 1, 1), four_axes=True)


def test_values_that_do_not_fit_the_shape(mapped):
    content = caffe_pb2.BlobProto(data=[1, 2], shape={"dim": [3]}).SerializeToString()
    with pytest.raises(WireError):
        read_blob(mapped(content), 0, len(content))
