"""Protobuf's wire format, against protobuf itself and against messages cut short."""

import pytest

from deeplab_caffe.formats import caffe_pb2, wire


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)])
def test_varints(value):
    encoded = wire.varint(value)
    unsigned, end = wire.read_varint(encoded + b"\1", 0, len(encoded) + 1)
    assert end == len(encoded) and wire.signed(unsigned) == value


def test_fields_as_protobuf_writes_them():
    data = caffe_pb2.LayerParameter(name="conv", bottom=["a"], loss_weight=[0.5]).SerializeToString()
    found = list(wire.fields(data, 0, len(data)))
    assert [field.number for field in found] == [1, 3, 5]
    assert data[found[0].start : found[0].end] == b"conv"
    assert data == wire.bytes_field(1, b"conv") + wire.bytes_field(3, b"a") + data[found[2].start - 1 :]
    assert caffe_pb2.SolverParameter.FromString(wire.number_field(4, 300)).test_interval == 300


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\x80", "cut off inside a number"),
        (b"\x80" * 10 + b"\1", "longer than 10 bytes"),
        (b"\x0a\x05ab", "field 1 at byte 0 needs 3 bytes more"),
        (b"\x07", "no protobuf field"),
        (b"\x00\x00", "no protobuf field"),
        (b"\x0d\0\0", "needs 2 bytes more"),
    ],
)
def test_broken(data, message):
    with pytest.raises(wire.WireError, match=message):
        list(wire.fields(data, 0, len(data)))


def test_expect():
    (field,) = wire.fields(wire.number_field(3, 1), 0, 2)
    assert wire.expect(field, wire.VARINT) is field
    with pytest.raises(wire.WireError, match="field 3 holds a number, not a length-delimited value"):
        wire.expect(field, wire.BYTES)
