import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.datum import array_datum, datum_array, read_datum


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_there_and_back(dtype):
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    datum = read_datum(array_datum(values, 7).SerializeToString(), "here")
    assert datum.label == 7 and not datum.encoded
    result = datum_array(datum, "here")
    assert result.dtype == dtype and (result == values).all()


def test_bytes_come_before_floats():
    datum = caffe_pb2.Datum(channels=1, height=1, width=2, data=b"\1\2", float_data=[5, 6])
    assert datum_array(datum, "").tolist() == [[[1, 2]]]


def test_errors():
    with pytest.raises(DeepLabError, match="here: not a Datum"):
        read_datum(b"\xff\xff\xff", "here")
    with pytest.raises(DeepLabError, match="here: a Datum without data"):
        read_datum(b"", "here")
    with pytest.raises(DeepLabError, match="here: 3 values, the Datum says 1x2x2"):
        datum_array(caffe_pb2.Datum(channels=1, height=2, width=2, data=b"abc"), "here")
