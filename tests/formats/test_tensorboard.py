import struct

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import wire
from deeplab_caffe.formats.crc32c import crc32c, masked
from deeplab_caffe.formats.tensorboard import EventWriter


def read_events(path):
    """The records of an event file as {field number: value or bytes}, checksums checked."""
    data, at, events = open(path, "rb").read(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(crc32c(data[at : at + 8]))
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked(crc32c(body))
        events.append(
            {
                field.number: field.value if field.kind == wire.VARINT else body[field.start : field.end]
                for field in wire.fields(body, 0, len(body))
            }
        )
        at += size + 16
    return events


def scalars(event):
    found = {}
    for value in wire.fields(event[5], 0, len(event[5])):
        parts = {f.number: event[5][f.start : f.end] for f in wire.fields(event[5], value.start, value.end)}
        found[parts[1].decode()] = struct.unpack("<f", parts[2])[0]
    return found


def test_events(tmp_path):
    writer = EventWriter(tmp_path / "events")
    writer.scalars(0, {"train/loss": 2.5, "train/lr": 0.5})
    writer.scalars(200, {"test0/accuracy": -1.0})
    (path,) = (tmp_path / "events").iterdir()
    assert path.name.startswith("events.out.tfevents.") and str(path) == writer.path
    # Readable while it is being written.
    first, one, two = read_events(path)
    assert first[3] == b"brain.Event:2" and struct.unpack("<d", first[1])[0] > 1.7e9
    assert one[2] == 0 and scalars(one) == {"train/loss": 2.5, "train/lr": 0.5}
    assert two[2] == 200 and scalars(two) == {"test0/accuracy": -1.0}
    writer.close()


def test_tensorboard_reads_them(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = EventWriter(tmp_path)
    writer.scalars(3, {"train/loss": 0.25})
    writer.close()
    accumulator = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in accumulator.Scalars("train/loss")] == [(3, 0.25)]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeepLabError, match="file"):
        EventWriter(tmp_path / "file")
