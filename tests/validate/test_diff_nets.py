import pytest

from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.validate.diff_nets import diff_nets

from .conftest import NET


def diff(*pairs, text=NET):
    other = text
    for old, new in pairs:
        assert old in other
        other = other.replace(old, new)
    return diff_nets(read_net("first.prototxt", text=text), read_net("second.prototxt", text=other))


def changes(result):
    return [
        (layer.name, layer.change, [(f.field, f.first, f.second) for f in layer.fields])
        for layer in result.layers
    ]


def test_the_same():
    assert diff().same and diff().layers == []
    assert diff(("pad: 1", "pad: 1 stride: 1 group: 1"), ("pool: MAX ", "")).same  # defaults, given or not


def test_a_field():
    result = diff(("dilation: 2", "dilation: 1"))
    assert not result.same and result.counts == (5, 5)
    name, change, fields = changes(result)[0]
    assert (name, change, fields[0]) == ("sub/fc8", "changed", ("convolution_param.dilation", "2", "1"))
    assert ("shapes of the tops", "1x4x9x9", "1x4x11x11") in fields
    assert changes(result)[1:] == []  # Interp gives what it gave


def test_shapes_that_follow():
    result = diff(("pad: 1", "pad: 0"))
    assert [(name, change) for name, change, _ in changes(result)] == [
        ("conv1", "changed"),
        ("relu1", "reshaped"),
        ("pool1", "reshaped"),
        ("sub/fc8", "reshaped"),
    ]


def test_inputs_and_connections():
    interp = '"interp" type: "Interp" bottom: '
    result = diff(("dim: 17 dim: 17", "dim: 17 dim: 19"), (f'{interp}"fc8"', f'{interp}"pool1"'))
    assert [(i.field, i.first, i.second) for i in result.inputs] == [("data", "1x3x17x17", "1x3x17x19")]
    assert ("bottoms", "fc8", "pool1") in changes(result)[-1][2]


def test_layers_come_go_and_are_renamed():
    relu = 'layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n'
    (removed,) = diff((relu, "")).layers
    assert (removed.name, removed.change) == ("relu1", "only in the first")
    other = 'layer { name: "abs" type: "AbsVal" bottom: "conv1" top: "conv1" }\n'
    assert [(c[0], c[1]) for c in changes(diff((relu, relu + other)))] == [("abs", "only in the second")]
    (renamed,) = changes(diff(('"relu1"', '"act1"')))
    assert renamed == ("relu1", "renamed", [("name", "relu1", "act1")])


def test_layers_that_moved():
    text = 'input: "x" input_shape { dim: 1 dim: 1 dim: 2 dim: 2 }\n'
    layers = [f'layer {{ name: "{n}" type: "AbsVal" bottom: "x" top: "{n}" }}\n' for n in "abc"]
    result = diff_nets(
        read_net("first.prototxt", text=text + "".join(layers)),
        read_net("second.prototxt", text=text + "".join(layers[1:] + layers[:1])),
    )
    assert changes(result) == [("a", "moved", [("place", "0", "2")])]


@pytest.mark.parametrize("size", [" height: 17 width: 17", " zoom_factor: 2"])
def test_numbers_and_words(size):
    result = diff(("pool: MAX", "pool: AVE"), (" height: 17 width: 17", size))
    assert ("pooling_param.pool", "MAX", "AVE") in changes(result)[0][2]


def test_data_that_is_not_there():
    data = 'layer { name: "d" type: "HDF5Data" top: "data" hdf5_data_param { source: "nowhere" } }'
    result = diff(text=data + 'layer { name: "a" type: "AbsVal" bottom: "data" top: "a" }')
    assert result.same and "hdf5_data_param" in result.shapes
