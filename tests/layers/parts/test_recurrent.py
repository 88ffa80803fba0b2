import pytest

from deeplab_caffe.errors import DeepLabError


def lstm(fields="num_output: 2", bottoms=2, tops=1):
    ends = "".join(f' bottom: "b{i}"' for i in range(bottoms)) + "".join(f' top: "t{i}"' for i in range(tops))
    return f'layer {{ name: "l" type: "LSTM" {ends} recurrent_param {{ {fields} }} }}'


def test_shapes(run_layer):
    layer = run_layer(lstm()).layer
    assert layer.shape([(5, 3, 7), (5, 3)]) == [(5, 3, 2)]
    assert layer.shape([(4, 1), (4, 1)]) == [(4, 1, 2)]
    exposed = run_layer(lstm("num_output: 2 expose_hidden: true", 5, 3)).layer
    state = (1, 3, 2)
    assert exposed.shape([(5, 3, 7), (5, 3), (3, 9), state, state]) == [(5, 3, 2), state, state]
    for shapes, message in (
        ([(5, 3, 7), (3, 5), (3, 9), state, state], "cont"),
        ([(5, 3, 7), (5, 3), (4, 9), state, state], "x_static"),
        ([(5, 3, 7), (5, 3), (3, 9), state, (1, 3, 3)], "state"),
    ):
        with pytest.raises(DeepLabError, match=message):
            exposed.shape(shapes)


def test_fields(run_layer):
    for text, message in (
        (lstm(""), "num_output: missing"),
        (lstm(bottoms=4), "bottom: 4 given, 2 or 3 wanted"),
        (lstm(tops=2), "top: 2 given, 1 wanted"),
        (lstm("num_output: 2 expose_hidden: true", 3, 3), "bottom: 3 given, 4 or 5 wanted"),
    ):
        with pytest.raises(DeepLabError, match=message):
            run_layer(text)
