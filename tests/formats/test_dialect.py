"""The shapes that the two dialects give tops and parameters."""

from deeplab_caffe.formats.dialect import Dialect
from deeplab_caffe.formats.prototxt import read_net


def test_v1_fills_four_axes():
    assert Dialect.V1.top_shape() == (1, 1, 1, 1)
    assert Dialect.V1.top_shape(5) == (5, 1, 1, 1)
    assert Dialect.V1.blob_shape(7) == (1, 1, 1, 7)
    assert Dialect.V1.blob_shape(7, 3) == (1, 1, 7, 3)


def test_v2_takes_as_many_axes_as_it_needs():
    assert Dialect.V2.top_shape() == ()
    assert Dialect.V2.top_shape(5) == (5,)
    assert Dialect.V2.blob_shape(7, 3) == (7, 3)


def test_the_file_tells_the_dialect():
    old = read_net("old", text='layers { name: "a" type: RELU bottom: "x" top: "x" }')
    new = read_net("new", text='layer { name: "a" type: "ReLU" bottom: "x" top: "x" }')
    assert (old.dialect, old.layers[0].dialect) == (Dialect.V1, Dialect.V1)
    assert (new.dialect, new.layers[0].dialect) == (Dialect.V2, Dialect.V2)
    assert old.layers[0].type == new.layers[0].type == "ReLU"
