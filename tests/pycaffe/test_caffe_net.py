from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.pycaffe.caffe_net import as_caffe_builds


def built(text):
    net = as_caffe_builds(read_net("net.prototxt", text=text))
    assert not net.inputs
    return [(layer.name, *layer.bottoms, "->", *layer.tops) for layer in net.layers], net.layers


def layer(name, bottoms, tops, extra=""):
    blobs = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in tops)
    return f'layer {{ name: "{name}" type: "AbsVal"{blobs} {extra} }}\n'


def test_input_is_a_layer():
    text = 'input: "x" input: "y" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 ' + "input_dim: 5 " * 4
    rows, layers = built(text + layer("a", "x", "a"))
    assert rows == [("input", "->", "x", "y"), ("a", "x", "->", "a")]
    assert [list(shape.dim) for shape in layers[0].param.input_param.shape] == [[1, 2, 3, 4], [5] * 4]


def test_splits():
    text = 'input: "x" input_shape { dim: 1 }\n'
    rows, _ = built(text + layer("r", "x", "x") + layer("a", "x", "a") + layer("b", "xa", "b"))
    assert rows == [
        ("input", "->", "x"),
        ("r", "x", "->", "x"),
        ("x_r_0_split", "x", "->", "x_r_0_split_0", "x_r_0_split_1"),
        ("a", "x_r_0_split_0", "->", "a"),
        ("b", "x_r_0_split_1", "a", "->", "b"),
    ]


def test_split_of_an_input_and_of_a_second_top():
    text = 'input: "x" input_shape { dim: 1 }\n'
    rows, _ = built(text + layer("a", "x", "ab") + layer("c", "xbb", "c"))
    names = [row[0] for row in rows]
    assert names == ["input", "x_input_0_split", "a", "b_a_1_split", "c"]
    assert rows[-1] == ("c", "x_input_0_split_1", "b_a_1_split_0", "b_a_1_split_1", "->", "c")


def test_loss_weight_moves_to_the_split():
    text = (
        'input: "x" input_shape { dim: 1 }\n' + layer("a", "x", "a", "loss_weight: 3") + layer("b", "a", "b")
    )
    rows, layers = built(text)
    assert rows[2] == ("a_a_0_split", "a", "->", "a_a_0_split_0", "a_a_0_split_1")
    assert rows[3] == ("b", "a_a_0_split_1", "->", "b")
    assert not layers[1].param.loss_weight and list(layers[2].param.loss_weight) == [3, 0]
