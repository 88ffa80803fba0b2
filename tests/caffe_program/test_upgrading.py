import os

import torch

from deeplab_caffe import Net
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.caffemodel import read_caffemodel, write_caffemodel
from deeplab_caffe.formats.prototxt import read_net, read_solver
from deeplab_caffe.formats.records import LayerBlobs

OLD = """name: "old"  # of 2014
input: "data" input_dim: 1 input_dim: 2 input_dim: 5 input_dim: 5
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 3 kernel_size: 3 hole: 2 } }
"""


def test_a_net(program, folder):
    (folder / "old.prototxt").write_text(OLD)
    ran = program("upgrade_net_proto_text", "old.prototxt", "new.prototxt")
    assert ran.code == 0 and ran.messages()[-1] == "Wrote upgraded NetParameter text proto to new.prototxt"
    text = open("new.prototxt").read()
    assert "# of 2014" in text and "layer {" in text and "dilation: 2" in text and "lr_mult: 2" in text
    (one,), (two,) = read_net("old.prototxt").layers, read_net("new.prototxt").layers
    assert one.param == two.param
    ran = program("upgrade_net_proto_text", "new.prototxt", "same.prototxt")
    assert (
        ran.code == 0 and "already in latest" in ran.messages("E")[0] and open("same.prototxt").read() == text
    )


def test_a_solver(program, folder):
    (folder / "old.prototxt").write_text('net: "n" solver_type: NESTEROV # fast\n')
    ran = program("upgrade_solver_proto_text", "old.prototxt", "new.prototxt")
    assert ran.code == 0 and not ran.messages("E")
    assert read_solver("new.prototxt").type == "Nesterov" and "# fast" in open("new.prototxt").read()


def test_a_binary(program, folder):
    (folder / "old.prototxt").write_text(OLD)
    torch.manual_seed(0)
    blobs = [torch.rand(3, 2, 3, 3), torch.rand(3)]
    write_caffemodel("old.caffemodel", [LayerBlobs("c", "Convolution", blobs)], "v1", "old")
    ran = program("upgrade_net_proto_binary", "old.caffemodel", "new.caffemodel")
    assert ran.code == 0 and not ran.messages("E")
    net = caffe_pb2.NetParameter.FromString(open("new.caffemodel", "rb").read())
    assert not net.layers and [layer.type for layer in net.layer] == ["Convolution"] and net.name == "old"
    one, two = read_caffemodel("old.caffemodel"), read_caffemodel("new.caffemodel")
    assert [blob.tolist() for blob in one[0].blobs] == [blob.tolist() for blob in two[0].blobs]
    image = torch.rand(1, 2, 5, 5)
    results = [Net("old.prototxt", f"{name}.caffemodel").forward(data=image)["c"] for name in ("old", "new")]
    assert torch.equal(*results)
    ran = program("upgrade_net_proto_binary", "new.caffemodel", "same.caffemodel")
    assert ran.code == 0 and "already in latest" in ran.messages("E")[0]


def test_errors(program, folder):
    (folder / "broken").write_bytes(b"\xff\xff layer {")
    for name in ("upgrade_net_proto_text", "upgrade_solver_proto_text", "upgrade_net_proto_binary"):
        for source in ("none", "broken"):
            ran = program(name, source, "new")
            assert ran.code == 2 and len(ran.messages("E")) == 1 and not os.path.exists("new")
    (folder / "net").write_text(OLD)
    assert "no solver in it" in program("upgrade_solver_proto_text", "net", "new").messages("E")[0]
    (folder / "solver").write_text("base_lr: 1\n")
    assert "no net in it" in program("upgrade_net_proto_text", "solver", "new").messages("E")[0]
