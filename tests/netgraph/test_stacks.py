from deeplab_caffe.netgraph.cards import Card, input_card
from deeplab_caffe.netgraph.stacks import stack_layers, text


def card(name, bottoms, tops, type="Convolution", in_place=False):
    return Card(
        name, type, bottoms.split(), tops.split(), [(1, 4, 5, 6)] * len(tops.split()), in_place=in_place
    )


def stacked(*cards):
    cards = [input_card("data", (1, 3, 9, 9)), *cards]
    stacks, edges = stack_layers(cards)
    return [[cards[i].name for i in stack.layers] for stack in stacks], sorted(edges.edges)


def test_what_works_on_one_output_stands_on_it():
    layers, edges = stacked(
        card("conv", "data", "conv"),
        card("bn", "conv", "bn", "BatchNorm", in_place=True),
        card("relu", "bn", "bn", "ReLU", in_place=True),
        card("next", "bn", "next"),
    )
    assert layers == [["data"], ["conv", "bn", "relu"], ["next"]] and edges == [(0, 1), (1, 2)]


def test_not_where_somebody_else_reads_the_value_before():
    layers, edges = stacked(
        card("conv", "data", "conv"),
        card("relu", "conv", "relu", "ReLU", in_place=True),
        card("next", "conv", "next"),
    )
    assert layers == [["data"], ["conv"], ["relu"], ["next"]] and edges == [(0, 1), (1, 2), (1, 3)]


def test_readers_before_a_change_in_place_read_what_was_there():
    layers, edges = stacked(
        card("conv", "data", "x"),
        card("before", "x", "before"),
        card("relu", "x", "x", "ReLU", in_place=True),
        card("after", "x", "after"),
    )
    assert layers == [["data"], ["conv"], ["before"], ["relu"], ["after"]]
    assert edges == [(0, 1), (1, 2), (1, 3), (3, 4)]


def test_a_layer_of_several_tops_carries_none():
    layers, _ = stacked(
        card("images", "", "image label", "ImageSegData"),
        card("scale", "image", "image", "Power", in_place=True),
        card("relu", "data", "data", "ReLU", in_place=True),
    )
    assert layers == [["data", "relu"], ["images"], ["scale"]]


def test_an_input_of_unknown_shape():
    stacks, _ = stack_layers([input_card("data", None), card("conv", "data", "conv")])
    assert stacks[0].shape == "" and stacks[0].kind == "input"


def test_kinds():
    cards = [
        card("images", "", "data label", "ImageSegData"),
        card("sum", "data data", "sum", "Eltwise"),
        card("loss", "sum label", "loss", "SoftmaxWithLoss"),
        card("exp", "sum", "exp", "Exp"),
    ]
    stacks, _ = stack_layers(cards)
    assert [stack.kind for stack in stacks] == ["input", "join", "loss", "other"]


def test_text():
    assert (
        text((1, 21, 65, 65)) == "21×65×65"
        and text((2, 21)) == "2×21"
        and text((5,)) == "5"
        and text(()) == "1"
    )
