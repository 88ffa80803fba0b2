"""Nets and solvers of every dialect, and what goes wrong with them."""

import random
from pathlib import Path

import pytest
from google.protobuf import text_format

from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.prototxt import read_net, read_solver, write_prototxt
from deeplab_caffe.formats.prototxt_text import layer_spans

SHARED = Path(__file__).parents[2] / "../shared"
FILES = sorted(SHARED.glob("reference/**/*.prototxt")) + sorted(SHARED.glob("models/**/*.prototxt"))
VARIABLES = {
    "NET_ID": "net",
    "EXP": "voc12",
    "NUM_LABELS": 21,
    "DATA_ROOT": "/data",
    "TRAIN_SET": "train",
    "TEST_SET": "val",
    "TEST_SET_POSTFIX": "",
    "FEATURE_DIR": "features",
    "CROP": 97,
    "MODEL": "model",
}


def read(text, **options):
    return read_net("net.prototxt", text=text, **options)


def error(text, **options):
    with pytest.raises(DeepLabError) as caught:
        read(text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason="needs the reference files")
@pytest.mark.parametrize("phase", ["train", "test"])
def test_every_reference_net_reads(phase):
    for path in FILES:
        if "solver" in path.name:
            assert read_solver(path, VARIABLES).base_lr > 0
            continue
        net = read_net(path, VARIABLES, phase)
        assert net.layers
        for layer in net.layers:
            assert layer.name and layer.type and layer.source == str(path)
            # The line is that of the block the layer stands in.
            assert path.read_text().split("\n")[layer.line - 1].lstrip().startswith("layer")
            assert not layer.param.convolution_param.HasField("hole")


@pytest.mark.skipif(not FILES, reason="needs the reference files")
def test_variables_that_are_missing_are_listed_together():
    with pytest.raises(DeepLabError, match="EXP .*NUM_LABELS"):
        read_net(SHARED / "reference/prototxt/v1/DeepLab-LargeFOV/test.prototxt")


V1 = """
name: "small"  # layers { in a comment
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 7
layers {
  name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
  param: "w" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 strict_dim: false
  convolution_param { num_output: 4 kernel_size: 3 pad: 2 hole: 2 }
}
layers {
  name: "loss" type: SOFTMAX_LOSS bottom: "conv" bottom: "label" top: "loss"
  softmaxloss_param { ignore_label: 255 } include: { phase: TRAIN }
}
layers { name: "prob" type: SOFTMAX bottom: "conv" top: "prob" exclude { phase: TRAIN } }
"""


def test_v1_comes_out_in_v2_layout():
    net = read(V1)
    assert (net.name, net.dialect, net.inputs) == ("small", "v1", {"data": (1, 3, 9, 7)})
    assert [(x.name, x.type, x.line) for x in net.layers] == [
        ("conv", "Convolution", 4),
        ("prob", "Softmax", 13),
    ]
    conv = net.layers[0]
    assert (conv.bottoms, conv.tops) == (("data",), ("conv",))
    assert list(conv.param.convolution_param.dilation) == [2]
    assert list(conv.param.convolution_param.pad) == [2]
    assert not conv.param.strict_dim
    assert [(p.name, p.lr_mult, p.decay_mult) for p in conv.params] == [("w", 1, 1), ("", 2, 0)]
    train = read(V1, phase="train")
    assert [x.type for x in train.layers] == ["Convolution", "SoftmaxWithLoss"]
    assert list(train.layers[1].param.softmaxloss_param.ignore_label) == [255]


def test_hole_per_axis():
    net = read("layers { name: 'c' type: CONVOLUTION convolution_param { hole_h: 2 hole_w: 3 } }")
    assert list(net.layers[0].param.convolution_param.dilation) == [2, 3]
    assert "hole_h and hole_w" in error(
        "layers { name: 'c' type: CONVOLUTION convolution_param { hole: 2 hole_w: 3 } }"
    )


V0 = """
name: "old"
layers {
  layer { name: "data" type: "data" source: "db" batchsize: 4 meanfile: "mean" cropsize: 5 mirror: true
    scale: 2 } top: "data" top: "label"
}
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers {
  layer {
    name: "conv1" type: "conv" num_output: 8 kernelsize: 3 group: 2 stride: 2 biasterm: false
    weight_filler { type: "gaussian" std: 0.1 } blobs_lr: 1.0 weight_decay: 0.5
  }
  bottom: "pad1" top: "conv1"
}
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 pad: 1 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.5 beta: 2 } bottom: "pool1" top: "norm1" }
layers { layer { name: "ip" type: "innerproduct" num_output: 2 } bottom: "norm1" top: "ip" }
layers { layer { name: "loss" type: "softmax_loss" } bottom: "ip" bottom: "label" }
"""


def test_v0():
    net = read(V0)
    assert net.dialect == "v1"
    assert [(x.name, x.type, x.line) for x in net.layers] == [
        ("data", "Data", 3),
        ("conv1", "Convolution", 8),
        ("pool1", "Pooling", 15),
        ("norm1", "LRN", 16),
        ("ip", "InnerProduct", 17),
        ("loss", "SoftmaxWithLoss", 18),
    ]
    data, conv, pool, norm, ip, _ = (x.param for x in net.layers)
    assert (data.data_param.source, data.data_param.batch_size) == ("db", 4)
    transform = data.transform_param
    assert (transform.mean_file, transform.crop_size, transform.mirror, transform.scale) == (
        "mean",
        5,
        True,
        2,
    )
    # The padding layer is folded into the convolution that reads it.
    assert net.layers[1].bottoms == ("data",)
    assert list(conv.convolution_param.pad) == [2]
    assert list(conv.convolution_param.kernel_size) == [3]
    assert list(conv.convolution_param.stride) == [2]
    assert (conv.convolution_param.group, conv.convolution_param.bias_term) == (2, False)
    assert conv.convolution_param.weight_filler.type == "gaussian"
    assert (net.layers[1].params[0].lr_mult, net.layers[1].params[0].decay_mult) == (1, 0.5)
    assert (pool.pooling_param.pool, pool.pooling_param.kernel_size) == (caffe_pb2.PoolingParameter.AVE, 3)
    assert (norm.lrn_param.local_size, norm.lrn_param.alpha, norm.lrn_param.beta) == (3, 0.5, 2)
    assert ip.inner_product_param.num_output == 2


def test_v0_errors():
    with pytest.warns(DeepLabWarning, match="layer 'r': pad: .*left out"):
        (layer,) = read("layers { layer { name: 'r' type: 'relu' pad: 1 } }").layers
    assert layer.type == "ReLU" and not layer.param.HasField("pooling_param")
    assert "unknown layer type 'convolve'" in error("layers { layer { name: 'r' type: 'convolve' } }")
    assert "only conv" in error(
        "layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'a' top: 'b' }"
        "layers { layer { name: 'q' type: 'pool' } bottom: 'b' top: 'c' }"
    )


def test_data_layers_get_their_transformations_moved():
    for kind, param in (("DATA", "data_param"), ("IMAGE_DATA", "image_data_param")):
        fields = "scale: 0.5 crop_size: 7 mean_file: 'm' mirror: true"
        net = read(f"layers {{ name: 'd' type: {kind} {param} {{ {fields} }} }}")
        layer = net.layers[0].param
        transform = layer.transform_param
        assert (transform.scale, transform.crop_size, transform.mean_file, transform.mirror) == (
            0.5,
            7,
            "m",
            True,
        )
        assert not getattr(layer, param).HasField("scale")


def test_v2_rules():
    text = """
    input: "a" input_shape { dim: 2 dim: 3 } state { stage: "always" }
    layer { name: "x" type: "ReLU" include { min_level: 2 max_level: 3 } }
    layer { name: "y" type: "ReLU" include { stage: "s" not_stage: "t" } }
    layer { name: "z" type: "ReLU" exclude { stage: "always" phase: TEST } }
    layer { name: "z" type: "TanH" include { phase: TEST } include { stage: "s" } }
    """

    def types(**options):
        return [(x.name, x.type) for x in read(text, **options).layers]

    assert read(text).inputs == {"a": (2, 3)}
    assert types() == [("z", "TanH")]
    assert types(phase="train") == [("z", "ReLU")]
    assert types(level=2) == [("x", "ReLU"), ("z", "TanH")]
    assert types(level=4, stages=["s"]) == [("y", "ReLU"), ("z", "TanH")]
    assert types(stages=["s", "t"]) == [("z", "TanH")]
    both = "layer { name: 'x' type: 'ReLU' include { phase: TEST } exclude { phase: TRAIN } }"
    assert "layer 'x': include" in error(both)


def test_typos_are_found_where_they_are():
    text = V1.replace("num_output", "num_ouput")
    assert error(text) == (
        "net.prototxt:7: layer 'conv': unknown field 'num_ouput' in ConvolutionParameter; "
        "did you mean 'num_output'?"
    )
    assert error(V1.replace("SOFTMAX bottom", "SOFTMAKS bottom")) == (
        "net.prototxt:13: layer 'prob': unknown layer type SOFTMAKS; did you mean SOFTMAX?"
    )
    assert "layer 'loss': unknown Phase TRIAN; did you mean TRAIN?" in error(
        V1.replace("TRAIN }\n}", "TRIAN }\n}")
    )
    assert "unknown PoolMethod 7; known: AVE" in error("layer { pooling_param { pool: 7 } }")
    assert error(V1 + "\nlayer { }").startswith("net.prototxt:")
    assert "given twice" in error("layers {\n name: 'a'\n name: 'b' }")
    assert error("layers { name: 'a' type: RELU").startswith("net.prototxt:1: ")
    for broken in (
        "{",
        "layers",
        "name: 'a",
        "name: 3",
        "layer { name: '\\xff' }",
        "a: [[[[",
        "}" * 9,
        "\ufeff",
    ):
        error(broken)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_mangled_text_gives_one_line():
    chance = random.Random(0)
    pieces = [
        *"{}\"'#\n:<>[];,/\\",
        "${X}",
        "layers",
        "layer { ",
        "-1",
        "1e400",
        "nan",
        "\0",
        "é",
        "[a.b]",
        "include",
        "",
    ]
    for _ in range(400):
        text = V1
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(pieces) + text[at + chance.choice([0, 1, 5, 30]) :]
        try:
            read(text)
        except DeepLabError as caught:
            assert str(caught).startswith("net.prototxt:") and "\n" not in str(caught)


def test_variables():
    text = """name: "${A}-${B}" # ${UNSET} is only a comment
    layer { name: "x" type: "Pooling" pooling_param { kernel_size: ${SIZE} } }
    """
    net = read(text, variables={"A": 'C:\\n"', "B": "b", "SIZE": 3})
    assert net.name == 'C:\\n"-b'
    assert net.layers[0].param.pooling_param.kernel_size == 3
    message = error(text, variables={"B": 1})
    assert message == (
        "net.prototxt: variables without a value: A (line 1), SIZE (line 2); "
        "variables= in Python, --set A=VALUE ... of a command"
    )


def test_inputs():
    assert "5 numbers for 1 inputs" in error("input: 'a' " + "input_dim: 1 " * 5)
    assert "1 shapes for 2" in error("input: 'a' input: 'b' input_shape { dim: 3 }")
    assert "below 1" in error("input: 'a' input_shape { dim: -3 }")


def test_files_that_are_no_prototxt(tmp_path):
    for content in (b"\x00\x01", b"\x89PNG\r\n", b"hello world"):
        path = tmp_path / "x.prototxt"
        path.write_bytes(content)
        with pytest.raises(DeepLabError, match="x.prototxt"):
            read_net(path)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DeepLabError, match=str(path)):
            read_net(path)
    with pytest.raises(DeepLabError, match="phase 'deploy'"):
        read_net("x", text="", phase="deploy")


def test_spans_see_through_comments_and_strings():
    text = (
        'name: "layer {" # }\nlayer: <\n  name: \'a\' x { name: "no" } >\nlayers [ {name:"b"},\n{name:"c"} ]'
    )
    spans = [(s.first_line, s.last_line, s.name) for s in layer_spans(text)]
    assert spans == [(2, 3, "a"), (4, 4, "b"), (5, 5, "c")]


def test_solver(tmp_path):
    path = tmp_path / "solver.prototxt"
    path.write_text('train_net: "${EXP}/train.prototxt" base_lr: 0.1 solver_type: NESTEROV')
    solver = read_solver(path, {"EXP": "e"})
    assert (solver.train_net, solver.type) == ("e/train.prototxt", "Nesterov")
    with pytest.raises(DeepLabError, match="EXP"):
        read_solver(path)
    path.write_text("base_lr: 1\nbase_rl: 1")
    with pytest.raises(DeepLabError, match=r"solver.prototxt:2: unknown field 'base_rl' .*'base_lr'"):
        read_solver(path)


def test_writing(tmp_path):
    path = tmp_path / "out.prototxt"
    write_prototxt(read(V1).param, path)
    assert read_net(path).layers == tuple(read_net(path).layers)
    assert text_format.Parse(path.read_text(), caffe_pb2.NetParameter()) == read(V1).param
    assert [p.name for p in tmp_path.iterdir()] == ["out.prototxt"]
    with pytest.raises(DeepLabError, match="no/out"):
        write_prototxt(read(V1).param, tmp_path / "no/out.prototxt")


def test_input_shape_wins_over_input_dim():
    net = read("input: 'a' input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1 input_shape { dim: 2 dim: 5 }")
    assert net.inputs == {"a": (2, 5)}
    assert read("input: 'a'").inputs == {"a": ()}


def test_numbers_as_cs_parser_takes_them():
    text = """layer { name: "- 5 0x1" type: "ReLU" # - 5
      relu_param { negative_slope: - 5 } }
    layer { name: "c" type: "Convolution" convolution_param { bias_term: 00 force_nd_im2col: 0x1
      num_output: 0x10 pad: 00 pad: 01 } }"""
    relu, conv = read(text).layers
    assert relu.name == "- 5 0x1" and relu.param.relu_param.negative_slope == -5
    param = conv.param.convolution_param
    assert not param.bias_term and param.force_nd_im2col
    assert param.num_output == 16 and list(param.pad) == [0, 1]
    assert error("layer { relu_param { negative_slope: -\n 5 x: 1 } }").startswith("net.prototxt:2:")


def test_a_layers_rules_say_where_its_blobs_are():
    text = "layer { name: 'd' type: 'Data' top: 'data' include { phase: TRAIN } }"
    assert read(text).elsewhere == {"data": "d"} and read(text, phase="train").elsewhere == {}


def test_weights_in_place_of_a_prototxt(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"\n\x03net\x12\x00" + bytes(17 << 20))
    with pytest.raises(DeepLabError, match="not a prototxt; weights are given apart, by --weights"):
        read_net(path)
