import io
import sys

import pytest
from google.protobuf import text_format
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.pycaffe import draw

NET = """
name: "a net"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 4 }
        include { phase: TRAIN } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 2 }
        convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 7 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
        exclude { phase: TEST } }
"""


def net(text=NET):
    return text_format.Parse(text, caffe_pb2.NetParameter())


def layer(name):
    return next(layer for layer in net().layer if layer.name == name)


@pytest.fixture(autouse=True)
def no_graphviz(monkeypatch):
    monkeypatch.setattr(draw.shutil, "which", lambda _: None)


def test_labels():
    assert draw.get_layer_label(layer("conv"), "LR") == (
        r'"conv\n(Convolution)\nkernel size: 3\nstride: 1\npad: 1"'
    )
    assert draw.get_layer_label(layer("conv"), "TB", display_lrm=True) == (
        '"conv (Convolution) kernel size: 3 stride: 1 pad: 1 lr mult: 2.0, 1.0"'
    )
    assert draw.get_layer_label(layer("pool"), "BT") == (
        '"pool (Pooling AVE) kernel size: 2 stride: 2 pad: 0"'
    )
    assert [draw.get_edge_label(layer(name)) for name in ("data", "conv", "ip", "relu")] == [
        "Batch 4",
        "5",
        "7",
        '""',
    ]


def test_learning_rates():
    assert draw.get_layer_lr_mult(layer("conv")) == (2, 1)
    assert draw.get_layer_lr_mult(layer("ip")) == (1, 1)
    with pytest.raises(ValueError, match="relu: ReLU layers have no learning rate"):
        draw.get_layer_lr_mult(layer("relu"))


def test_text():
    text = draw.draw_net(net(), "LR", "raw").decode()
    assert text.startswith('digraph "a net" {\nrankdir=LR;\n')
    assert '"conv_blob" -> "relu_ReLU" [label=""];\n"relu_ReLU" -> "conv_blob" [label=""];' in text
    assert '"ip_InnerProduct" -> "ip_blob" [label="7"];' in text
    assert '"relu_ReLU" [label="relu\\n(ReLU)", shape=record, style=filled, fillcolor="#90EE90"];' in text


def test_phases():
    def layers(phase):
        text = draw.draw_net(net(), "LR", "dot", phase=phase).decode()
        return {layer.name for layer in net().layer if f'"{layer.name}_{layer.type}" [' in text}

    everything = {"data", "conv", "relu", "pool", "ip", "loss"}
    assert layers(None) == layers(caffe_pb2.TRAIN) == everything
    assert layers(caffe_pb2.TEST) == everything - {"data", "loss"}
    both = net('layer { name: "a" include { phase: TEST } exclude { phase: TRAIN } }')
    with pytest.raises(ValueError, match="layer a has both include and exclude"):
        draw.draw_net(both, "LR", "dot", phase=caffe_pb2.TEST)


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
def test_pictures(tmp_path, rankdir):
    draw.draw_net_to_file(net(), tmp_path / "net.png", rankdir)
    with Image.open(tmp_path / "net.png") as picture:
        assert (picture.width > picture.height) == (rankdir == "LR")
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0xFF, 0x50, 0x50), (0xFF, 0x99, 0), (0x90, 0xEE, 0x90), (0xE0, 0xE0, 0xE0)} <= colours


def test_svg():
    assert b"<svg" in draw.draw_net(net(), "LR", "svg")


def test_nets_of_older_caffe():
    old = net(
        'layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" convolution_param { num_output: 2 } }'
    )
    assert '"c_Convolution" -> "c_blob" [label="2"];' in draw.draw_net(old, "LR", "dot").decode()


def test_empty_nets():
    with Image.open(io.BytesIO(draw.draw_net(net(""), "LR"))) as picture:
        assert picture.size > (0, 0)


def test_names_with_signs():
    text = draw.draw_net(net(r'layer { name: "a|b\"{c}" type: "ReLU" top: "x" }'), "LR", "dot").decode()
    assert r'"a|b\"{c}_ReLU" [label="a\|b\"\{c\}\n(ReLU)"' in text


def test_graphviz(monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\n[ "$1" = -Tpng ] && exec cat\necho no such format >&2; exit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(draw.shutil, "which", lambda _: str(program))
    assert draw.draw_net(net(), "LR") == draw.draw_net(net(), "LR", "raw")
    with pytest.raises(DeepLabError, match="graphviz: no such format"):
        draw.draw_net(net(), "LR", "none")


def test_what_cannot_be_drawn():
    with pytest.raises(DeepLabError, match="none: this needs graphviz; without it eps, jpeg"):
        draw.draw_net(net(), "LR", "none")
    with pytest.raises(DeepLabError, match="rankdir is LR, RL, TB or BT, not up"):
        draw.draw_net(net(), "up")


def test_pydot_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(DeepLabError, match=r"this needs pydot: pip install 'deeplab_caffe\[pycaffe\]'"):
        draw.get_pydot_graph(net(), "LR")


def test_pydot():
    pytest.importorskip("pydot")
    graph = draw.get_pydot_graph(net(), "LR", label_edges=False)
    assert len(graph.get_nodes()) == 6 + 6
    assert len(graph.get_edges()) == 13
    assert graph.get_rankdir() == "LR"
