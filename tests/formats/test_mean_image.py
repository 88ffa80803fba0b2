import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.mean_image import read_mean, write_mean

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7


def test_there_and_back(tmp_path):
    write_mean(tmp_path / "mean", VALUES)
    assert (read_mean(tmp_path / "mean") == VALUES).all()
    blob = caffe_pb2.BlobProto.FromString((tmp_path / "mean").read_bytes())
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 2, 3, 4)


@pytest.mark.parametrize("fields", [{"data": VALUES.ravel()}, {"double_data": VALUES.ravel()}])
@pytest.mark.parametrize("dim", [[2, 3, 4], [1, 2, 3, 4]])
def test_newer_forms(tmp_path, fields, dim):
    blob = caffe_pb2.BlobProto(shape={"dim": dim}, **fields)
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    assert (read_mean(tmp_path / "mean") == VALUES).all()


@pytest.mark.parametrize(
    "blob",
    [{"channels": 2, "data": [1.0]}, {}, {"shape": {"dim": [2, 2]}, "data": [1.0] * 4}]
    + [{"num": 2, "channels": 1, "height": 1, "width": 1, "data": [1.0, 2]}],
)
def test_errors(tmp_path, blob):
    (tmp_path / "mean").write_bytes(caffe_pb2.BlobProto(**blob).SerializeToString())
    with pytest.raises(DeepLabError, match="mean: not a mean image"):
        read_mean(tmp_path / "mean")
