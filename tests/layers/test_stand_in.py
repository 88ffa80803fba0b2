import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context
from deeplab_caffe.layers.stand_in import StandIn, data_shapes, is_label


def shapes(text, size=None, **given):
    word = "layers" if "type: DATA" in text else "layer"
    (layer,) = read_net("net.prototxt", text=f"{word} {{ name: 'd' {text} }}").layers
    return data_shapes(layer, size, given)


@pytest.mark.parametrize(
    ("text", "size", "wanted"),
    [
        ("data_param { batch_size: 4 } transform_param { crop_size: 20 }", None, [(4, 3, 20, 20), (4,)]),
        ("data_param { batch_size: 4 } transform_param { crop_size: 20 }", (5, 6), [(4, 3, 5, 6), (4,)]),
        ("transform_param { force_gray: true crop_size: 2 }", None, [(1, 1, 2, 2), (1,)]),
        ("image_data_param { new_height: 3 new_width: 4 is_color: false }", None, [(1, 1, 3, 4), (1,)]),
    ],
)
def test_fields_tell(text, size, wanted):
    assert shapes(f"type: 'Data' top: 'data' top: 'label' {text}", size) == wanted


def test_labels():
    assert shapes("type: 'Python' top: 'data' top: 'sem'", (5, 6)) == [(1, 3, 5, 6), (1, 1, 5, 6)]
    assert shapes("type: 'ImageSegData' top: 'a' top: 'b' top: 'data_dim'", (5, 6))[2] == (1, 1, 1, 2)
    assert shapes("type: DATA top: 'data' top: 'label'", (5, 6)) == [(1, 3, 5, 6), (1, 1, 1, 1)]
    assert shapes("type: 'HDF5Data' top: 'data' top: 'data2'", (5, 6))[1] == (1, 3, 5, 6)
    assert is_label("gt_boxes") and is_label("Label_1") and not is_label("data")


def test_the_caller_tells():
    assert shapes("type: 'Data' top: 'data' top: 'label'", data=(2, 7, 3, 3)) == [(2, 7, 3, 3), (1,)]
    with pytest.raises(DeepLabError, match="'data': --size or --shape data=2x3xHEIGHTxWIDTH wanted"):
        shapes("type: 'Data' top: 'data' data_param { batch_size: 2 }")


def test_it_does_not_run():
    (layer,) = read_net("net.prototxt", text="layer { name: 'd' type: 'Data' top: 'data' }").layers
    stand_in = StandIn(layer, Context(), [(1, 2)])
    assert stand_in.shape([]) == [(1, 2)] and stand_in.blob_shapes([]) == []
    with pytest.raises(DeepLabError, match="does not run"):
        stand_in.forward([], [])
