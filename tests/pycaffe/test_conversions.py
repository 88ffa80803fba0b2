import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.pycaffe import conversions


def test_blobs():
    data = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    blob = conversions.array_to_blobproto(data, diff=-data)
    assert list(blob.shape.dim) == [2, 3, 4]
    for result, expected in (
        (conversions.blobproto_to_array(blob), data),
        (conversions.blobproto_to_array(blob, return_diff=True), -data),
    ):
        assert result.dtype == np.float64
        assert (result == expected).all()


def test_blobs_of_four_axes():
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert conversions.blobproto_to_array(blob).tolist() == [[[[0, 1, 2]], [[3, 4, 5]]]]


def test_blobs_of_doubles():
    blob = caffe_pb2.BlobProto(double_data=[0.1, 0.2], shape={"dim": [2]})
    assert conversions.blobproto_to_array(blob).tolist() == [0.1, 0.2]


def test_a_blob_without_a_shape():
    assert conversions.blobproto_to_array(caffe_pb2.BlobProto(data=[3])) == 3
    with pytest.raises(ValueError, match=r"a BlobProto of shape \(\) that holds 2 numbers"):
        conversions.blobproto_to_array(caffe_pb2.BlobProto(data=[3, 4]))


def test_vectors_of_blobs():
    arrays = [np.arange(3.0), np.ones((2, 1))]
    text = conversions.arraylist_to_blobprotovector_str(arrays)
    assert isinstance(text, bytes)
    result = conversions.blobprotovector_str_to_arraylist(text)
    assert [array.tolist() for array in result] == [array.tolist() for array in arrays]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_datums(dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    datum = conversions.array_to_datum(array, label=5)
    assert datum.label == 5
    assert len(datum.data) == (24 if dtype == np.uint8 else 0)
    result = conversions.datum_to_array(caffe_pb2.Datum.FromString(datum.SerializeToString()))
    assert result.dtype == (np.uint8 if dtype == np.uint8 else np.float64)
    assert (result == array).all()
    result[0] = 0  # an array of one's own


def test_datums_without_a_label():
    assert not conversions.array_to_datum(np.zeros((1, 1, 1))).HasField("label")


def test_what_is_no_datum():
    with pytest.raises(ValueError, match=r"\(C, H, W\) wanted, an array of shape \(2, 2\) given"):
        conversions.array_to_datum(np.zeros((2, 2)))
    with pytest.raises(DeepLabError, match="holds 3 numbers"):
        conversions.datum_to_array(caffe_pb2.Datum(channels=1, height=2, width=2, data=b"abc"))
    with pytest.raises(DeepLabError, match="encoded image"):
        conversions.datum_to_array(caffe_pb2.Datum(encoded=True, data=b"abc"))
