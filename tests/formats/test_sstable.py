"""LevelDB tables: several blocks, shared prefixes, and tables made to break readers."""

import pytest

from deeplab_caffe.formats import sstable
from deeplab_caffe.formats.crc32c import crc32c, masked
from deeplab_caffe.formats.sstable import read_table
from deeplab_caffe.formats.wire import WireError, varint

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")


def entry(shared, key, value):
    return varint(shared) + varint(len(key)) + varint(len(value)) + key + value


def block(entries, compression=0):
    body = b"".join(entries) + bytes(4) + (1).to_bytes(4, "little") + bytes([compression])
    return body + masked(crc32c(body)).to_bytes(4, "little")


def table(blocks, handles=None):
    """A table of these blocks; handles: (offset, size) in place of the true ones."""
    data, found = b"", []
    for content in blocks:
        found.append((len(data), len(content) - 5))
        data += content
    index = block([entry(0, b"k%d" % i, varint(a) + varint(b)) for i, (a, b) in enumerate(handles or found)])
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + MAGIC


def test_prefixes_and_blocks():
    first = block([entry(0, b"net/a", b"1"), entry(4, b"b", b"22"), entry(5, b"/c", b"")])
    second = block([entry(0, b"z", b"3")])
    wanted = {b"net/a": b"1", b"net/b": b"22", b"net/b/c": b"", b"z": b"3"}
    assert read_table(table([first, second])) == wanted


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut off"),
        (bytes(100), "cut off, or not a table"),
        (table([block([entry(1, b"a", b"")])]), "beyond its block"),
        (table([block([entry(0, b"a", b"")] * 2)]), "twice"),
        (table([block([entry(0, b"a", b"")], compression=1)]), "compressed"),
        (table([block([entry(0, b"a", b"")])], [(0, 2**63)]), "beyond the end"),
        (table([block([entry(0, b"a", b"")])], [(0, 12), (0, 12)]), "overlap"),
        (table([block([entry(0, b"a" * 1025, b"")])]), "above 1024 bytes"),
        (table([block([b"\xff" * 11])]), "10 bytes"),
    ],
)
def test_broken(data, message):
    with pytest.raises(WireError, match=message):
        read_table(data)


def test_limit_of_entries(monkeypatch):
    monkeypatch.setattr(sstable, "_MAX_ENTRIES", 3)
    entries = [entry(0, b"%d" % i, b"") for i in range(4)]
    assert len(read_table(table([block(entries[:3])]))) == 3
    with pytest.raises(WireError, match="more than 3 entries"):
        read_table(table([block(entries)]))
