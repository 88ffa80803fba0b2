"""The build's own reader of caffe.proto agrees with protoc."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pb2

from deeplab_caffe.formats import caffe_pb2

ROOT = Path(__file__).parents[2]
PROTO = Path(caffe_pb2.__file__).with_name("caffe.proto")  # of the package that is installed


@pytest.fixture(scope="module")
def build_proto():
    spec = importlib.util.spec_from_file_location("build_proto", ROOT / "build_proto.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normalized(file):
    """With defaults of floats as the numbers they are, not as they are written, and without JSON's names."""

    def walk(messages):
        for message in messages:
            for field in message.field:
                field.ClearField("json_name")
                if field.type in (1, 2) and field.default_value:
                    field.default_value = repr(np.float32(field.default_value))
            walk(message.nested_type)

    walk(file.message_type)
    return file


def test_the_same_descriptors(build_proto, tmp_path):
    protoc = pytest.importorskip("grpc_tools.protoc", reason="needs protoc (grpcio-tools)")
    made = tmp_path / "made"
    assert protoc.main(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={made}", str(PROTO)]) == 0
    (theirs,) = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file
    ours = build_proto.read(PROTO)
    assert normalized(ours) == normalized(theirs)


def test_the_module_works(build_proto, tmp_path):
    text = PROTO.read_text().replace("package deeplab_caffe;", "package another;")
    (tmp_path / "another.proto").write_text(text)
    build_proto.write_module(tmp_path / "another.proto", tmp_path / "another_pb2.py")
    spec = importlib.util.spec_from_file_location("another_pb2", tmp_path / "another_pb2.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["another_pb2"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["another_pb2"]
    net = module.NetParameter(name="a")
    net.layer.add(name="b", phase=module.TEST).convolution_param.kernel_size.append(3)
    again = module.NetParameter.FromString(net.SerializeToString())
    assert again == net and again.layer[0].convolution_param.group == 1
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()).layer[0].name == "b"


@pytest.mark.parametrize(
    "text,message",
    [
        ('syntax = "proto3";', "only proto2"),
        ("service S {}", "not understood"),
        ("message M { optional N n = 1; }", "no message or enum N"),
        ("message M { optional int32 n = 1 [lazy = true]; }", "lazy is not understood"),
        ("message M { optional int32 n = 1 }", "';' wanted"),
    ],
)
def test_what_it_does_not_know_is_an_error(build_proto, tmp_path, text, message):
    (tmp_path / "x.proto").write_text(text)
    with pytest.raises(ValueError, match=message):
        build_proto.read(tmp_path / "x.proto")
